import { connection } from 'next/server';
import { Chat } from './chat';

export default async function Page() {
  // Rendered for each request: the policy's nonce is another one each time.
  await connection();
  return (
    <>
      <h1>inshore with Next</h1>
      <Chat />
    </>
  );
}
