import { describe, expect, it } from 'vitest';
import {
  codePointCount,
  findDescriptionProblem,
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
