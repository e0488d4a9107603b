// What the Node tests use of the SDK's sources: the OpenAI face, and a dispatcher that does what a test says.
export { InshoreError } from '../../../web/src/error';
export { createOpenAIFetch } from '../../../web/src/openai';
export * from '../../../web/src/openai/scripted-dispatcher.testing';
