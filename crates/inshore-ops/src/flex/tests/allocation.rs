//! No task of a kernel allocates or frees: in a page, threads share an allocator that knows of one.

#![allow(unsafe_code, reason = "an allocator that counts")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    /// Allocations and deallocations of this thread.
    static CALLS: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: all calls go to the system's allocator as they are.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        CALLS.set(CALLS.get() + 1);
        // SAFETY: as our caller promised.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        CALLS.set(CALLS.get() + 1);
        // SAFETY: as our caller promised.
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// A task's life; at its end, a panic if anything was allocated or freed in it.
pub struct Watch(usize);

/// Begins a task on this thread.
pub fn watch() -> Watch {
    Watch(CALLS.get())
}

impl Drop for Watch {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert_eq!(CALLS.get() - self.0, 0, "a task allocated or freed memory");
        }
    }
}

// Where a panic ends the program, nobody is left to see it.
#[cfg(panic = "unwind")]
#[test]
#[should_panic(expected = "a task allocated")]
fn a_task_that_allocates_is_noticed() {
    let _task = watch();
    drop(std::hint::black_box(vec![1]));
}
