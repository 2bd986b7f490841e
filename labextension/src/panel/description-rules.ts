/** The rules for descriptions, the same as in `domain/description.py`. */

/** The maximum number of characters (Unicode code points) of a description. */
export const MAX_DESCRIPTION_LENGTH = 512;

const FULL_WIDTH_FORMS: Readonly<Record<string, string>> = {
  '&': '＆',
  '<': '＜',
  '>': '＞',
  '"': '”',
  "'": '’',
  '/': '／',
};

/** A violated rule. Positions count code points from 1. */
export type DescriptionProblem =
  | { readonly kind: 'too-long'; readonly length: number }
  | { readonly kind: 'character'; readonly position: number; readonly character: string }
  | { readonly kind: 'not-text'; readonly position: number };

const isLoneSurrogate = (character: string): boolean => /^[\ud800-\udfff]$/.test(character);

/** Return the code points of a text. */
const codePoints = (input: string): string[] => Array.from(input);

/** Return the length of a text as the API counts it. */
export function codePointCount(input: string): number {
  return codePoints(input).length;
}

/** Replace each forbidden character by its full-width form. The length does not change. */
export function toFullWidth(input: string): string {
  return input.replace(/[&<>"'/]/g, (character) => FULL_WIDTH_FORMS[character] ?? character);
}

/** Return the first violated rule; `null` when the API accepts the description. */
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
