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

/** The control characters that are not allowed: all but tabs and line breaks. */
// eslint-disable-next-line no-control-regex -- finding them is the purpose
const CONTROL_CHARACTER = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]/;

const isForbidden = (character: string): boolean =>
  character in FULL_WIDTH_FORMS || CONTROL_CHARACTER.test(character);

/** Return the visible form of a control character. */
function controlPicture(character: string): string {
  const code = character.charCodeAt(0);
  if (code === 0x7f) {
    return '\u2421';
  }
  return code < 0x20 ? String.fromCharCode(0x2400 + code) : '\ufffd';
}

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

/** Replace each forbidden character by an allowed form. The length does not change. */
export function toFullWidth(input: string): string {
  return codePoints(input)
    .map((each) => (isForbidden(each) ? (FULL_WIDTH_FORMS[each] ?? controlPicture(each)) : each))
    .join('');
}

const escapeCode = (character: string, prefix: string, digits: number): string =>
  prefix + character.charCodeAt(0).toString(16).padStart(digits, '0');

/** Return a character as it is shown in a message: a control character as an escape such as `\\x1b`. */
export function showCharacter(character: string): string {
  return CONTROL_CHARACTER.test(character) ? escapeCode(character, '\\x', 2) : character;
}

/** Replace each invisible mark that changes the direction of text by an escape such as `\\u202e`. */
export function escapeDirectionMarks(input: string): string {
  return input.replace(/[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, (mark) =>
    escapeCode(mark, '\\u', 4),
  );
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
  const forbiddenAt = characters.findIndex(isForbidden);
  return forbiddenAt < 0
    ? null
    : { kind: 'character', position: forbiddenAt + 1, character: characters[forbiddenAt] ?? '' };
}
