import { describe, expect, it } from 'vitest';

import cases from '../../../tests/contract/countdown.json';
import { msUntilNextPhaseUpdate, evaluatePhase } from '../../src/countdown/phase';
import { formatPhase, formatterFor } from '../../src/countdown/format';

describe('the cases shared with Python', () => {
  it('are at least 25 with different names', () => {
    expect(new Set(cases.map(({ name }) => name)).size).toBe(cases.length);
    expect(cases.length).toBeGreaterThanOrEqual(25);
  });

  it.each(cases)('$name', ({ status, enabled, mode, stops_at_ms, now_ms, expect: expected }) => {
    const reading = evaluatePhase({ status, enabled, mode, stopsAtMs: stops_at_ms }, now_ms);
    expect({
      phase: reading.phase,
      remaining_s: reading.remainingS,
      label_en: formatPhase(formatterFor('en'), reading),
      label_zh: formatPhase(formatterFor('zh-CN'), reading),
    }).toEqual(expected);
  });
});

describe('the next change', () => {
  const input = (stopsAtMs: number | null, status = 'RUNNING') =>
    ({ status, enabled: true, mode: null, stopsAtMs }) as const;

  it.each([1, 999, 1000, 1001, 59_999, 1_800_000, 1_800_999])(
    'at %i ms left is the first moment with another reading',
    (leftMs) => {
      const waitMs = msUntilNextPhaseUpdate(input(leftMs), 0) ?? 0;
      const before = evaluatePhase(input(leftMs), 0);
      expect(evaluatePhase(input(leftMs), waitMs - 1)).toEqual(before);
      expect(evaluatePhase(input(leftMs), waitMs)).not.toEqual(before);
    },
  );

  it('after the end is when the end becomes unknown', () => {
    const waitMs = msUntilNextPhaseUpdate(input(-10), 0) ?? 0;
    expect(evaluatePhase(input(-10), waitMs - 1).phase).toBe('stopping');
    expect(evaluatePhase(input(-10), waitMs).phase).toBe('unknown');
  });

  it('does not come by itself where nothing counts', () => {
    expect(msUntilNextPhaseUpdate(input(null), 0)).toBeNull();
    expect(msUntilNextPhaseUpdate(input(5, 'STOPPING'), 0)).toBeNull();
    expect(msUntilNextPhaseUpdate(input(5, 'STOPPED'), 0)).toBeNull();
  });

  it('takes a missing enabled for not known', () => {
    expect(evaluatePhase({ ...input(5000), enabled: null }, 0).phase).toBe('unknown');
  });
});
