/** An event with this data. */
export function sseEvent(data: string): string {
  return `${data
    .split('\n')
    .map((line) => `data: ${line}\n`)
    .join('')}\n`;
}

/** An empty comment: it says nothing, but whoever writes it learns whether someone still listens. */
export const SSE_HEARTBEAT = ':\n\n';
