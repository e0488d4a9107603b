//! The CPU kernels' tasks on the threads that the page started (`web/src/engine/threads`).

#![allow(unsafe_code, reason = "the task of an operation is shared by its threads")]

use std::cell::RefCell;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering::Relaxed};

use inshore_model::{Team, use_team};
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    /// Threads with this module's memory, each of them an instance of it.
    #[wasm_bindgen(typescript_type = "Threads")]
    pub type Threads;

    #[wasm_bindgen(method, getter)]
    fn count(this: &Threads) -> u32;

    #[wasm_bindgen(method)]
    fn run(this: &Threads, tasks: u32);
}

#[wasm_bindgen(typescript_custom_section)]
const THREADS: &str = r"
/** Threads with this module's memory, this one among them. `run` calls `runTask(task, thread)` once for every `task`
 *  below `tasks`, and returns when all calls have. */
export interface Threads { readonly count: number; run(tasks: number): void }
";

thread_local! {
    static THREADS_OF_PAGE: RefCell<Option<Threads>> = const { RefCell::new(None) };
}

type Task<'a> = &'a (dyn Fn(usize, usize) + Sync);

/// The task of the operation that runs now; null between operations.
static TASK: AtomicPtr<Task<'static>> = AtomicPtr::new(ptr::null_mut());

/// The CPU kernels compute on `threads` from now on.
#[wasm_bindgen(js_name = useThreads)]
pub fn use_threads(threads: Threads) {
    let count = threads.count() as usize;
    THREADS_OF_PAGE.set(Some(threads));
    use_team(Box::new(Page { count }));
}

/// A thread's share of an operation; the page calls this on the instance of each thread.
#[wasm_bindgen(js_name = runTask)]
pub fn run_task(index: u32, thread: u32) {
    // SAFETY: the pointer is that of `Page::run`, which is on the stack of the first thread until all tasks have returned.
    let task = unsafe { TASK.load(Relaxed).as_ref() }.expect("tasks run while an operation does");
    task(index as usize, thread as usize);
}

struct Page {
    count: usize,
}

impl Team for Page {
    fn threads(&self) -> usize {
        self.count
    }

    fn run(&self, count: usize, task: &(dyn Fn(usize, usize) + Sync)) {
        // SAFETY: only the lifetime changes; the pointer is gone before this function returns. If the page throws, the
        // module is dead: a trap is never caught.
        let mut task = unsafe { std::mem::transmute::<Task<'_>, Task<'static>>(task) };
        TASK.store(&raw mut task, Relaxed);
        THREADS_OF_PAGE.with_borrow(|threads| threads.as_ref().expect("the page's threads").run(count as u32));
        TASK.store(ptr::null_mut(), Relaxed);
    }
}
