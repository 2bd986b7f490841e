import { describe, expect, it } from 'vitest';

import { AnnouncementThresholds } from '../../src/countdown/thresholds';
import { HOUR, NOW } from './fakes';

describe('the thresholds', () => {
  const run = (seconds: number[], stops = NOW) => {
    const thresholds = new AnnouncementThresholds();
    return seconds.map((s) => thresholds.findCrossed(stops, s));
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
    const thresholds = new AnnouncementThresholds();
    expect(thresholds.findCrossed(60_000, 1801)).toBeNull();
    expect(thresholds.findCrossed(59_000, 1800)).toBe(1800);
    expect(thresholds.findCrossed(61_000, 1801)).toBeNull();
    expect(thresholds.findCrossed(61_000, 1800)).toBeNull();
  });

  it('are told anew for another stop time', () => {
    const thresholds = new AnnouncementThresholds();
    thresholds.findCrossed(NOW, 601);
    expect(thresholds.findCrossed(NOW, 600)).toBe(600);
    expect(thresholds.findCrossed(NOW + HOUR, 4200)).toBeNull();
    expect(thresholds.findCrossed(NOW + HOUR, 600)).toBe(600);
  });
});
