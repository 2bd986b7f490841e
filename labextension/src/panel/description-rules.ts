/** What a description may contain, and what a refused one could become; the same rules as in Python. */

/** The most characters (Unicode code points) a description may have. */
export const MAX_LENGTH = 512;

const FULL_WIDTH: Readonly<Record<string, string>> = {
  '&': '＆',
  '<': '＜',
  '>': '＞',
  '"': '”',
  "'": '’',
  '/': '／',
};

/** What is wrong with a description. */
export type Offence =
  | { readonly kind: 'too-long'; readonly length: number }
  | { readonly kind: 'character'; readonly position: number; readonly character: string }
  | { readonly kind: 'not-text'; readonly position: number };

const isLone = (character: string): boolean => /^[\ud800-\udfff]$/.test(character);

/** The text's code points. */
const points = (typed: string): string[] => Array.from(typed);

/** How long a text is as the cloud counts it. */
export function lengthOf(typed: string): number {
  return points(typed).length;
}

/** The text with each forbidden character in its full-width form; the length stays. */
export function fullWidth(typed: string): string {
  return typed.replace(/[&<>"'/]/g, (character) => FULL_WIDTH[character] ?? character);
}

/** The first thing that is wrong with it, `null` when the API would take it. Positions count from 1. */
export function offence(typed: string): Offence | null {
  const characters = points(typed);
  if (characters.length > MAX_LENGTH) {
    return { kind: 'too-long', length: characters.length };
  }
  const lone = characters.findIndex(isLone);
  if (lone >= 0) {
    return { kind: 'not-text', position: lone + 1 };
  }
  const at = characters.findIndex((character) => character in FULL_WIDTH);
  return at < 0 ? null : { kind: 'character', position: at + 1, character: characters[at] ?? '' };
}
