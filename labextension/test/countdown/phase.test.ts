import { describe, expect, it } from 'vitest';

import cases from '../../../tests/contract/countdown.json';
import { formatPhase, formatterFor } from '../../src/countdown/format';
import {
  AnnouncementThresholds,
  evaluatePhase,
  msUntilNextPhaseUpdate,
} from '../../src/countdown/phase';
import { HOUR, NOW } from './fakes';

describe('the cases shared with Python', () => {
  it('are at least 25 with unique names', () => {
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

  it('after the stop time is when it becomes unknown', () => {
    const waitMs = msUntilNextPhaseUpdate(input(-10), 0) ?? 0;
    expect(evaluatePhase(input(-10), waitMs - 1).phase).toBe('stopping');
    expect(evaluatePhase(input(-10), waitMs).phase).toBe('unknown');
  });

  it('does not happen without a countdown', () => {
    expect(msUntilNextPhaseUpdate(input(null), 0)).toBeNull();
    expect(msUntilNextPhaseUpdate(input(5, 'STOPPING'), 0)).toBeNull();
    expect(msUntilNextPhaseUpdate(input(5, 'STOPPED'), 0)).toBeNull();
  });

  it('is not known if enabled is missing', () => {
    expect(evaluatePhase({ ...input(5000), enabled: null }, 0).phase).toBe('unknown');
  });
});

describe('the announcement thresholds', () => {
  const run = (seconds: number[], stops = NOW) => {
    const thresholds = new AnnouncementThresholds();
    return seconds.map((s) => thresholds.findCrossed(stops, s));
  };

  it('are detected once each', () => {
    expect(run([1801, 1800, 1799, 601, 600, 599, 121, 120, 119, 0])).toEqual([
      null,
      1800,
      null,
      null,
      600,
      null,
      null,
      120,
      null,
      null,
    ]);
  });

  it('are not detected by the first call', () => {
    expect(run([500, 499])).toEqual([null, null]);
  });

  it('are reported as the lowest of several', () => {
    expect(run([4000, 100, 99])).toEqual([null, 120, null]);
  });

  it('are not detected again after a small correction', () => {
    expect(run([1801, 1800, 1801, 1800])).toEqual([null, 1800, null, null]);
  });

  it('are detected once if the stop time varies slightly', () => {
    const thresholds = new AnnouncementThresholds();
    expect(thresholds.findCrossed(60_000, 1801)).toBeNull();
    expect(thresholds.findCrossed(59_000, 1800)).toBe(1800);
    expect(thresholds.findCrossed(61_000, 1801)).toBeNull();
    expect(thresholds.findCrossed(61_000, 1800)).toBeNull();
  });

  it('are detected again for another stop time', () => {
    const thresholds = new AnnouncementThresholds();
    thresholds.findCrossed(NOW, 601);
    expect(thresholds.findCrossed(NOW, 600)).toBe(600);
    expect(thresholds.findCrossed(NOW + HOUR, 4200)).toBeNull();
    expect(thresholds.findCrossed(NOW + HOUR, 600)).toBe(600);
  });
});
