//! Threads of a page, which somebody else starts.

use std::sync::OnceLock;

/// Threads that share the module's memory.
pub trait Team: Send + Sync {
    /// How many there are, with the one that calls [`run`](Self::run).
    fn threads(&self) -> usize;

    /// Calls `task(index, thread)` once for every index below `count`, and returns when all calls have returned. The
    /// calls of a thread, of which there are [`threads`](Self::threads), come one after the other.
    fn run(&self, count: usize, task: &(dyn Fn(usize, usize) + Sync));
}

static TEAM: OnceLock<Box<dyn Team>> = OnceLock::new();

/// The CPU kernels compute with `team` from now on. The first team stays: later ones are ignored.
pub fn use_team(team: Box<dyn Team>) {
    let _ = TEAM.set(team);
}

/// Threads of the team, or the only one.
pub fn threads() -> usize {
    TEAM.get().map_or(1, |team| team.threads())
}

/// Calls `task(index, thread)` for every index below `count`.
pub fn run(count: usize, task: &(dyn Fn(usize, usize) + Sync)) {
    match TEAM.get() {
        Some(team) => team.run(count, task),
        None => (0..count).for_each(|index| task(index, 0)),
    }
}
