import { describe, expect, it } from 'vitest';
import {
  codePointCount,
  escapeDirectionMarks,
  findDescriptionProblem,
  showCharacter,
  toFullWidth,
} from '../../src/panel/description-rules';

describe('a description', () => {
  it.each(['&', '<', '>', '"', "'", '/'])('must not contain %s', (character) => {
    expect(findDescriptionProblem(`a😀${character}`)).toEqual({
      kind: 'character',
      position: 3,
      character,
    });
    expect(findDescriptionProblem(toFullWidth(`a${character}`))).toBeNull();
  });

  it.each(['\u0000', '\u0007', '\u001b', '\u007f', '\u0085', '\u009b'])(
    'must not contain a control character',
    (character) => {
      const problem = findDescriptionProblem(`ab${character}`);
      expect(problem).toEqual({ kind: 'character', position: 3, character });
      expect(showCharacter(character)).toMatch(/^\\x[0-9a-f]{2}$/);
      expect(findDescriptionProblem(toFullWidth(`ab${character}`))).toBeNull();
      expect(toFullWidth(`ab${character}`)).toHaveLength(3);
    },
  );

  it('may contain tabs and line breaks', () => {
    expect(findDescriptionProblem('a\tb\r\nc\n')).toBeNull();
  });

  it('is shown with escaped direction marks', () => {
    expect(escapeDirectionMarks('a\u202eb\u2066c\u061cd')).toBe('a\\u202eb\\u2066c\\u061cd');
    expect(escapeDirectionMarks('عربي ☕')).toBe('عربي ☕');
  });

  it('has at most 512 code points', () => {
    expect(findDescriptionProblem('😀'.repeat(512))).toBeNull();
    expect(findDescriptionProblem('😀'.repeat(513))).toEqual({ kind: 'too-long', length: 513 });
    expect(codePointCount('😀a')).toBe(2);
  });

  it('must not contain half a surrogate pair', () => {
    expect(findDescriptionProblem('a\ud800')).toEqual({ kind: 'not-text', position: 2 });
    expect(findDescriptionProblem('')).toBeNull();
  });
});
