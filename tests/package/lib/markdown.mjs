// Code blocks and commands of Markdown pages.
import { readdirSync } from 'node:fs';
import { join, relative } from 'node:path';

const SKIPPED = new Set(['node_modules', 'target', 'dist', '.git', '.next']);

/** Every Markdown page of the repository, as paths from `root`. */
export function pagesOf(root, folder = root) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if (SKIPPED.has(entry.name)) return [];
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return pagesOf(root, path);
    return entry.name.endsWith('.md') ? [relative(root, path).replaceAll('\\', '/')] : [];
  });
}

/** The fenced blocks of a page: language, code, and line of the first line of code. */
export function blocksOf(text) {
  const blocks = [];
  let open;
  for (const [index, line] of text.split('\n').entries()) {
    const fence = /^(\s*)(`{3,}|~{3,})\s*([\w-]*)/.exec(line);
    if (open === undefined && fence !== null) {
      open = { language: fence[3], indent: fence[1].length, mark: fence[2], line: index + 2, lines: [] };
    } else if (open !== undefined && fence?.[2].startsWith(open.mark) && fence[3] === '') {
      blocks.push({ language: open.language, line: open.line, code: `${open.lines.join('\n')}\n` });
      open = undefined;
    } else open?.lines.push(line.slice(Math.min(open.indent, /^\s*/.exec(line)[0].length)));
  }
  if (open !== undefined) throw new Error(`a block that begins in line ${open.line} has no end`);
  return blocks;
}

/** The page without its blocks, for what is written in line. */
export const proseOf = (text) => text.replace(/^\s*(`{3,}|~{3,})[\s\S]*?^\s*\1.*$/gm, '');

/** The commands of a `console` block (after its prompts) or of a whole `sh` block, each as a list of words. */
export function commandsOf({ language, code }) {
  const joined = code.replace(/\\\n/g, ' ');
  const lines = joined.split('\n');
  const typed =
    language === 'console'
      ? lines.filter((line) => line.startsWith('$ ')).map((line) => line.slice(2))
      : lines;
  return typed.flatMap(splitCommands);
}

/** The commands of a line, split where a shell begins another one. */
export function splitCommands(line) {
  const commands = [[]];
  const token =
    /\s*(?:(#.*)|(&&|\|\||[|&;])|((?:"(?:\\.|[^"\\])*"|'[^']*'|\$\([^)]*\)|[^\s"'|&;#$]|\$(?!\()|(?<=\S)#)+))/gy;
  for (const [, comment, operator, word] of line.matchAll(token)) {
    if (comment !== undefined) break;
    if (operator !== undefined) commands.push([]);
    else commands.at(-1).push(word.replace(/["']/g, ''));
  }
  return commands.filter((words) => words.length > 0);
}
