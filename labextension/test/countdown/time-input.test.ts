import { describe, expect, it } from 'vitest';

import cases from '../../../tests/contract/time_input.json';
import { parseTimeInput } from '../../src/countdown/time-input';
import { NOW } from './fakes';

describe('a time that is entered', () => {
  it.each(cases)('“$text” means the same as in the kernel', ({ text, kind, seconds, ms }) => {
    const expected = kind === 'at' ? { kind, ms } : { kind, seconds };
    expect(parseTimeInput(text, NOW)).toEqual(kind === null ? null : expected);
  });
});
