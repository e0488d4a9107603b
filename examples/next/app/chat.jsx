'use client';

import { createInshore, InshoreError } from 'inshore';
import { useState } from 'react';

// One instance for the page, made in the browser when it is first needed.
let instance;
const getInshore = () => (instance ??= createInshore({ model: '/models/default.gguf' }));

export function Chat() {
  const [status, setStatus] = useState('');
  const [answer, setAnswer] = useState('');
  const [done, setDone] = useState(false);

  async function ask(event) {
    event.preventDefault();
    const question = String(new FormData(event.currentTarget).get('question'));
    setAnswer('');
    setDone(false);
    try {
      const inshore = await getInshore();
      // Downloaded once, then kept by the browser for this site.
      await inshore.download({
        onProgress: ({ phase, doneBytes, totalBytes }) =>
          setStatus(`${phase}: ${Math.round((100 * doneBytes) / (totalBytes ?? doneBytes))} %`),
      });
      const stream = await inshore.chat.completions.create({
        messages: [{ role: 'user', content: question }],
        temperature: 0,
        stream: true,
      });
      for await (const { choices, inshore: extra } of stream) {
        if (extra) setStatus(`${extra.source}: ${extra.reason}`);
        setAnswer((text) => text + (choices[0]?.delta.content ?? ''));
      }
      setDone(true);
    } catch (error) {
      if (!InshoreError.is(error)) throw error;
      setStatus(`${error.code}: ${error.message}`);
    }
  }

  return (
    <>
      <form onSubmit={ask}>
        <label>
          Question <input name="question" defaultValue="What is the capital of France?" />
        </label>
        <button type="submit">Ask</button>
      </form>
      <p id="status" role="status">
        {status}
      </p>
      <output data-done={done ? '' : undefined}>{answer}</output>
    </>
  );
}
