/** What a description may contain, and what a refused one could become; the same rules as in Python. */

/** The most characters (Unicode code points) a description may have. */
export const MAX_DESCRIPTION_LENGTH = 512;

const FULL_WIDTH_FORMS: Readonly<Record<string, string>> = {
  '&': '＆',
  '<': '＜',
  '>': '＞',
  '"': '”',
  "'": '’',
  '/': '／',
};

/** What is wrong with a description. */
export type DescriptionProblem =
  | { readonly kind: 'too-long'; readonly length: number }
  | { readonly kind: 'character'; readonly position: number; readonly character: string }
  | { readonly kind: 'not-text'; readonly position: number };

const isLoneSurrogate = (character: string): boolean => /^[\ud800-\udfff]$/.test(character);

/** The text's code points. */
const codePoints = (input: string): string[] => Array.from(input);

/** How long a text is as the cloud counts it. */
export function codePointCount(input: string): number {
  return codePoints(input).length;
}

/** The text with each forbidden character in its full-width form; the length stays. */
export function toFullWidth(input: string): string {
  return input.replace(/[&<>"'/]/g, (character) => FULL_WIDTH_FORMS[character] ?? character);
}

/** The first thing that is wrong with it, `null` when the API would take it. Positions count from 1. */
export function findDescriptionProblem(input: string): DescriptionProblem | null {
  const characters = codePoints(input);
  if (characters.length > MAX_DESCRIPTION_LENGTH) {
    return { kind: 'too-long', length: characters.length };
  }
  const loneAt = characters.findIndex(isLoneSurrogate);
  if (loneAt >= 0) {
    return { kind: 'not-text', position: loneAt + 1 };
  }
  const forbiddenAt = characters.findIndex((character) => character in FULL_WIDTH_FORMS);
  return forbiddenAt < 0
    ? null
    : { kind: 'character', position: forbiddenAt + 1, character: characters[forbiddenAt] ?? '' };
}
