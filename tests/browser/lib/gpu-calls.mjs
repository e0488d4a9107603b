// Counts what an engine worker asks of WebGPU: a script in front of the worker's own wraps the calls.

/** Runs in the worker, before the engine has a device. */
function wrapGpuCalls() {
  self.gpuCalls = {};
  const count = (kind, ...names) => {
    for (const name of names) {
      const call = kind?.prototype[name];
      if (call === undefined) continue;
      kind.prototype[name] = function (...values) {
        self.gpuCalls[name] = (self.gpuCalls[name] ?? 0) + 1;
        return call.apply(this, values);
      };
    }
  };
  count(self.GPUComputePassEncoder, 'dispatchWorkgroups', 'dispatchWorkgroupsIndirect');
  count(
    self.GPUDevice,
    'createBindGroup',
    'createBuffer',
    'createComputePipeline',
    'createComputePipelineAsync',
    'createShaderModule',
  );
  count(self.GPUBuffer, 'mapAsync');
  count(self.GPUQueue, 'submit', 'writeBuffer', 'onSubmittedWorkDone');
}

/** Counts in all engine workers that pages of this context start from now on. */
export async function countGpuCalls(context) {
  await context.route(/\/engine\/worker\.ts/, async (route) => {
    const response = await route.fetch();
    const body = `${await response.text()}\n;(${wrapGpuCalls})();\n`;
    await route.fulfill({ response, body });
  });
}

/** The counts of a page's engine worker since its start. */
export async function gpuCalls(page) {
  for (const worker of page.workers()) {
    const counts = await worker.evaluate(() => self.gpuCalls);
    if (counts) return counts;
  }
  throw new Error('no worker of this page counts its calls');
}
