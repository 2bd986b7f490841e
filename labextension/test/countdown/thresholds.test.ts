import { describe, expect, it } from 'vitest';

import { Thresholds } from '../../src/countdown/thresholds';
import { HOUR, NOW } from './fakes';

describe('the thresholds', () => {
  const run = (seconds: number[], stops = NOW) => {
    const thresholds = new Thresholds();
    return seconds.map((s) => thresholds.crossed(stops, s));
  };

  it('are told once each, when crossed', () => {
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

  it('are not told at the first look', () => {
    expect(run([500, 499])).toEqual([null, null]);
  });

  it('are told as the lowest, when several were slept through', () => {
    expect(run([4000, 100, 99])).toEqual([null, 120, null]);
  });

  it('are not told again when the clock is set right by a second', () => {
    expect(run([1801, 1800, 1801, 1800])).toEqual([null, 1800, null, null]);
  });

  it('are neither missed nor told again when the stop time only wobbles', () => {
    const thresholds = new Thresholds();
    expect(thresholds.crossed(60_000, 1801)).toBeNull();
    expect(thresholds.crossed(59_000, 1800)).toBe(1800);
    expect(thresholds.crossed(61_000, 1801)).toBeNull();
    expect(thresholds.crossed(61_000, 1800)).toBeNull();
  });

  it('are told anew for another stop time', () => {
    const thresholds = new Thresholds();
    thresholds.crossed(NOW, 601);
    expect(thresholds.crossed(NOW, 600)).toBe(600);
    expect(thresholds.crossed(NOW + HOUR, 4200)).toBeNull();
    expect(thresholds.crossed(NOW + HOUR, 600)).toBe(600);
  });
});
