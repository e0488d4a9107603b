// Which licence a text is, and which of those that a part offers we take.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Files that hold a licence or a notice. */
export const LICENCE_FILES = /^(licen[cs]es?|copying|unlicen[cs]e|notice|copyright)([-._].*)?$/i;

/** A phrase of each text. The first that is found counts. */
const PHRASES = [
  ['Apache-2.0 WITH LLVM-exception', /LLVM Exceptions to the Apache/i],
  ['Apache-2.0', /Apache License,?\s+Version 2\.0/i],
  ['MPL-2.0', /Mozilla Public License/i],
  ['BSL-1.0', /Boost Software License/i],
  ['Unicode-3.0', /UNICODE LICENSE V3/i],
  ['Unlicense', /free and unencumbered software/i],
  ['Zlib', /This notice may not be removed or altered from any source\s+distribution/i],
  ['BSD-3-Clause', /Redistribution and use in source and binary forms[\s\S]*Neither the name/i],
  ['BSD-2-Clause', /Redistribution and use in source and binary forms/i],
  [
    'ISC',
    /Permission to use, copy, modify, and(?:\/or)? distribute this software for any purpose with or without fee is hereby granted, provided/i,
  ],
  [
    '0BSD',
    /Permission to use, copy, modify, and(?:\/or)? distribute this software for any\s+purpose with or without fee/i,
  ],
  ['MIT', /Permission is hereby granted, free of charge, to any/i],
];

/** The short ones first: any of those that a part offers will do. */
const PREFERRED = ['MIT', '0BSD', 'ISC', 'Zlib', 'BSD-2-Clause', 'BSD-3-Clause', 'Apache-2.0'];

/** Texts that name nobody, so that one of them stands for all. */
const SAME_FOR_ALL = new Set([
  'Apache-2.0',
  'Apache-2.0 WITH LLVM-exception',
  'MPL-2.0',
  'BSL-1.0',
  'Unicode-3.0',
  'Unlicense',
]);

/** SPDX name of the licence that `text` is; undefined for anything else. */
export function classify(text) {
  const flat = text.replace(/\s+/g, ' ');
  return PHRASES.find(([, phrase]) => phrase.test(flat))?.[0];
}

/** The alternatives of an SPDX expression, each a list of licences that hold together. `/` is an older `OR`. */
export function alternatives(expression) {
  const flat = expression.replaceAll('/', ' OR ').trim();
  const both = /^\((.+)\)\s+AND\s+(.+)$/.exec(flat);
  if (both !== null)
    return alternatives(both[1]).flatMap((left) => alternatives(both[2]).map((right) => [...left, ...right]));
  if (/[()]/.test(flat)) throw new Error(`the licence ${JSON.stringify(expression)} is not understood`);
  return flat.split(/\s+OR\s+/).map((one) => one.split(/\s+AND\s+/).map((id) => id.trim()));
}

/**
 * The texts that go with `part`: those of one alternative that it offers, and its notices. `standard`: a text of each
 * licence, for parts that bring none.
 */
export function chooseLicences(part, standard) {
  const { name, licence, texts } = part;
  if (!licence) {
    // Its own text is its licence.
    if (texts.length === 0) throw new Error(`${name} has no licence`);
    return texts;
  }
  const rank = (ids) =>
    Math.max(...ids.map((id) => (PREFERRED.indexOf(id) + PREFERRED.length + 1) % (PREFERRED.length + 1)));
  const offers = alternatives(licence).sort((a, b) => rank(a) - rank(b));
  const own = (id) => texts.find((text) => text.id === id);
  const chosen = offers.find((ids) => ids.every(own)) ?? offers[0];
  const notices = texts.filter(({ id }) => id === undefined);
  return [...chosen.map((id) => own(id) ?? { id, text: standardText(id, part, standard) }), ...notices];
}

function standardText(id, { name, authors }, standard) {
  if (SAME_FOR_ALL.has(id) && standard.has(id)) return standard.get(id);
  if (id === 'MIT') {
    const ours = readFileSync(join(import.meta.dirname, '../LICENSE-MIT'), 'utf8').trim();
    const holder = authors.length > 0 ? authors.join(', ') : `the authors of ${name}`;
    return ours.replace(/^Copyright .*$/m, `Copyright (c) ${holder}`);
  }
  throw new Error(`${name} is under ${id}, and its text is not on disk`);
}
