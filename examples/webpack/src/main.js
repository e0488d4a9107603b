import { createInshore, InshoreError } from 'inshore';

const form = document.querySelector('form');
const status = document.querySelector('#status');
const output = document.querySelector('output');

const inshore = await createInshore({ model: '/models/default.gguf' });

form.addEventListener('submit', async (event) => {
  event.preventDefault();
  const question = String(new FormData(form).get('question'));
  output.textContent = '';
  try {
    // Downloaded once, then kept by the browser for this site.
    await inshore.download({
      onProgress: ({ phase, doneBytes, totalBytes }) => {
        status.textContent = `${phase}: ${Math.round((100 * doneBytes) / (totalBytes ?? doneBytes))} %`;
      },
    });
    const stream = await inshore.chat.completions.create({
      messages: [{ role: 'user', content: question }],
      temperature: 0,
      stream: true,
    });
    for await (const { choices, inshore: extra } of stream) {
      if (extra) status.textContent = `${extra.source}: ${extra.reason}`;
      output.append(choices[0]?.delta.content ?? '');
    }
    output.dataset.done = '';
  } catch (error) {
    if (!InshoreError.is(error)) throw error;
    status.textContent = `${error.code}: ${error.message}`;
  }
});
