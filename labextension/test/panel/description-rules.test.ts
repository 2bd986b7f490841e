import { describe, expect, it } from 'vitest';
import {
  toFullWidth,
  codePointCount,
  findDescriptionProblem,
} from '../../src/panel/description-rules';
import { BackendError, DEFAULT_PREFERENCES } from '../../src/tokens';
import {
  readError,
  readFindings,
  readPayload,
  readPreferences,
  readProblem,
  readRefusal,
} from '../../src/backend/validate';
import { instancePayload } from '../fakes';

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
