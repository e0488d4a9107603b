//! Recordings by CubeCL's graphs, which on wgpu are lists of commands.

#![allow(unsafe_code, reason = "launches kernels again whose memory it cannot name")]

use std::future::ready;
use std::task::{Context, Poll, Waker};
use std::thread::{self, ThreadId};

use burn::backend::{BackendTensor, DispatchTensor, DispatchTensorKind};
use burn::tensor::Bytes;
use burn_cubecl::tensor::CubeTensor;
use cubecl::client::{Client, Graph};

use super::Words;
use crate::SampleParams;
use crate::cube::{dispatches, note_dispatches};
use crate::sample::launch::draw_into;

/// Small buffers that a recording may need beyond what was launched before: the words of a step, and its result.
const SPARE_BUFFERS: usize = 8;
/// The least that the runtime hands out.
const SPARE_BYTES: usize = 256;

/// A time in which launches prepare a recording.
pub struct WarmUp(Option<Client>);

/// Launches that can be repeated.
#[derive(Debug)]
pub struct CapturedGraph {
    graph: Graph,
    /// CubeCL orders launches by thread: from another one they could overtake each other.
    thread: ThreadId,
    dispatches: u64,
}

impl WarmUp {
    pub(super) fn of(words: DispatchTensor) -> Option<Self> {
        let client = on_gpu(words)?.client;
        client.graph_prepare().ok()?;
        Some(Self(Some(client)))
    }

    /// Records what `launch` launches, without doing it: a second time what was launched since the beginning, on memory that
    /// was there before. `None` if the runtime cannot.
    pub fn record<T>(mut self, launch: impl FnOnce() -> T) -> Option<(CapturedGraph, T)> {
        let client = self.0.take()?;
        // While it records the runtime takes no new memory, and what the caller keeps since the beginning is missing.
        drop((0..SPARE_BUFFERS).map(|_| client.empty(SPARE_BYTES)).collect::<Vec<_>>());
        if client.start_capture().is_err() {
            // It is closed already.
            return None;
        }
        let before = dispatches();
        let result = launch();
        let recorded = dispatches() - before;
        // None of them has happened.
        note_dispatches(0u64.wrapping_sub(recorded));
        let graph = client.stop_capture().ok()?;
        Some((CapturedGraph { graph, thread: thread::current().id(), dispatches: recorded }, result))
    }
}

impl Drop for WarmUp {
    fn drop(&mut self) {
        if let Some(client) = self.0.take() {
            // Nothing was recorded, and that is all the error says.
            let _ = client.stop_capture();
        }
    }
}

impl CapturedGraph {
    /// Launches all again; what they read is what lies in their memory now. `false`, and nothing is launched, on another thread
    /// than the recording's or on a lost device.
    ///
    /// Everything that the kernels touch must still be there: the caller keeps the tensors that came from outside, and the
    /// runtime the memory that they took in between.
    pub fn replay(&self) -> bool {
        if thread::current().id() != self.thread {
            return false;
        }
        // SAFETY: what the launches took is guarded by the graph, the rest by the recording's owner; all launches, writes and
        // reads of these tensors are of this thread, and so of one stream.
        let launched = unsafe { self.graph.replay() }.is_ok();
        if launched {
            note_dispatches(self.dispatches);
        }
        launched
    }
}

pub fn rewrite(words: DispatchTensor, values: &[u32]) -> bool {
    let Some(tensor) = on_gpu(words) else { return false };
    tensor.client.write(&tensor.handle, Bytes::from_elems(values.to_vec()));
    true
}

pub fn sample_into(logits: DispatchTensor, history: DispatchTensor, params: SampleParams, out: DispatchTensor) {
    let DispatchTensorKind::Cube(BackendTensor::Float(logits)) = logits.kind else { return };
    if let (Some(history), Some(out)) = (on_gpu(history), on_gpu(out)) {
        draw_into(&logits, &history, &params, out);
    }
}

pub fn read(words: DispatchTensor) -> Option<Words> {
    let CubeTensor { client, handle, .. } = on_gpu(words)?;
    let mut reading = Box::pin(async move {
        // Not as Burn reads a tensor: natively it would copy only once somebody looks at the bytes.
        let read = client.read_async(vec![handle]).await.map_err(|error| format!("{error:?}"))?;
        Ok(read.iter().flat_map(|bytes| bytemuck::pod_collect_to_vec(bytes)).collect())
    });
    // Begins it: the copy is launched now, not when somebody waits for it.
    match reading.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(words) => Some(Box::pin(ready(words))),
        Poll::Pending => Some(reading),
    }
}

fn on_gpu(words: DispatchTensor) -> Option<CubeTensor> {
    match words.kind {
        DispatchTensorKind::Cube(BackendTensor::Int(tensor)) => Some(tensor),
        _ => None,
    }
}
