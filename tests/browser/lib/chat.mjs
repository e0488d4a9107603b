// The page's chat as a visitor uses it.

/** Asks `question` in the chat. */
export async function askInPage(page, question) {
  await page.getByTestId('question').fill(question);
  await page.getByTestId('question').press('Enter');
}

/** All answers on the page. */
export const answers = (page) => page.getByTestId('message-assistant');

/** The line of figures under the last answer; it is there once the answer has ended. */
export const stats = (page) => answers(page).last().getByTestId('answer-stats');

/** What has a long answer. */
export const LONG_QUESTION = 'Write a long story about the sea, with many chapters.';

/** Asks for something long in a fresh chat (a chat of broken-off answers breeds short ones); resolves at its first words. */
export async function askForLong(page) {
  await page.getByTestId('new-chat').click();
  await askInPage(page, LONG_QUESTION);
  await page.waitForFunction(() => window.inshore.answer?.steps.length >= 3);
}

/** Letters and digits only: what Markdown keeps of a text. */
export const words = (text) => text.replaceAll(/[^\p{L}\p{N}]+/gu, ' ').trim();

/** The words that the page shows of the last answer, without the marks of hand-overs. */
export async function shownWords(page) {
  const text = await answers(page)
    .last()
    .getByTestId('answer-text')
    .evaluate((body) => {
      const copy = body.cloneNode(true);
      for (const extra of copy.querySelectorAll('.handover, .code-head')) extra.remove();
      // Blocks stand apart on the page; their text does not.
      for (const block of copy.querySelectorAll('*')) block.append(' ');
      return copy.textContent;
    });
  return words(text);
}
