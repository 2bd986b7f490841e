import { beforeEach, describe, expect, it, vi } from 'vitest';

import {
  browserTimers,
  browserWakeups,
  ServerClock,
  SharedClock,
  Ticker,
} from '../../src/countdown/clock';
import { evaluatePhase, msUntilNextPhaseUpdate, type PhaseInput } from '../../src/countdown/phase';
import { FakeTimers, HOUR, ListenerCountingTarget, MINUTE, NOW } from './fakes';

const DAY = 24 * HOUR;

describe('the server clock', () => {
  let timers: FakeTimers;
  let clock: ServerClock;
  let jumps: number;

  beforeEach(() => {
    timers = new FakeTimers();
    jumps = 0;
    clock = new ServerClock(timers, () => jumps++);
  });

  it('is the local clock until a message arrives', () => {
    expect(clock.now()).toBe(NOW);
    expect(clock.isSynced).toBe(false);
    expect(clock.ageMs).toBe(Infinity);
  });

  it.each([-DAY, DAY, 7 * HOUR + 1])(
    'follows the server if the local clock is off by %i ms',
    (off) => {
      clock.sync(NOW + off);
      timers.advance(DAY);
      expect(clock.now()).toBe(NOW + off + DAY);
      expect(clock.isSynced).toBe(true);
    },
  );

  it('is not synchronized after a sleep', () => {
    clock.sync(NOW + 5000);
    timers.sleep(3 * HOUR);
    expect(clock.isSynced).toBe(false);
    expect(clock.now()).toBe(NOW + 3 * HOUR + 5000);
    expect(clock.earliestNow()).toBe(NOW + 5000);
    expect(jumps).toBe(1);
  });

  it.each([-5 * MINUTE, -DAY])('does not follow a local clock that is set by %i ms', (ms) => {
    clock.sync(NOW);
    timers.sleep(ms);
    expect(clock.now()).toBe(NOW);
    expect(clock.isSynced).toBe(false);
    timers.advance(MINUTE);
    expect(clock.now()).toBe(NOW + MINUTE);
    clock.sync(NOW + MINUTE);
    expect(clock.isSynced).toBe(true);
    expect(clock.now()).toBe(NOW + MINUTE);
    expect(jumps).toBe(1);
  });

  it('is right after a message before a detected jump', () => {
    clock.sync(NOW);
    timers.sleep(3 * HOUR);
    clock.sync(NOW + 3 * HOUR);
    expect(clock.isSynced).toBe(true);
    expect(clock.now()).toBe(NOW + 3 * HOUR);
    expect(jumps).toBe(0);
  });

  it('stays synchronized if timers fire late', () => {
    clock.sync(NOW);
    timers.advance(10 * MINUTE);
    expect(clock.isSynced).toBe(true);
  });
});

describe('the shared clock', () => {
  let timers: FakeTimers;
  let clock: SharedClock;
  let jumps: number;

  beforeEach(() => {
    timers = new FakeTimers();
    jumps = 0;
    clock = new SharedClock(timers, () => jumps++);
  });

  it('assumes a sleep only if the time cannot be read', () => {
    clock.syncSince(clock.read(), NOW);
    timers.sleep(HOUR);
    expect(clock.now()).toBe(NOW);
    clock.assumesSleep = true;
    expect(clock.now()).toBe(NOW + HOUR);
    timers.sleep(-2 * HOUR);
    expect(clock.now()).toBe(NOW);
  });

  it('is not set by a message that was requested before a jump', () => {
    clock.syncSince(clock.read(), NOW);
    const sent = clock.read();
    timers.sleep(HOUR);
    expect(clock.syncSince(sent, NOW)).toBe(false);
    expect(clock.isSynced).toBe(false);
    expect(clock.now()).toBe(NOW);
  });

  it('is not set by a message that was requested long ago', () => {
    clock.syncSince(clock.read(), NOW);
    const sent = clock.read();
    timers.advance(HOUR);
    expect(clock.syncSince(sent, NOW)).toBe(false);
    expect(clock.now()).toBe(NOW + HOUR);
  });

  it('is not synchronized until a message after a wake-up', () => {
    clock.invalidate();
    expect(clock.isSuspect).toBe(false);
    clock.syncSince(clock.read(), NOW);
    clock.invalidate();
    expect([clock.isSynced, clock.isSuspect, clock.ageMs]).toEqual([false, true, Infinity]);
    clock.syncSince(clock.read(), NOW);
    expect([clock.isSynced, clock.isSuspect, jumps]).toEqual([true, false, 0]);
  });
});

describe('the ticker', () => {
  const setUp = (leftMs: number) => {
    const timers = new FakeTimers();
    const page = new ListenerCountingTarget();
    const input: PhaseInput = {
      status: 'RUNNING',
      enabled: true,
      mode: null,
      stopsAtMs: NOW + leftMs,
    };
    const shown: (number | null)[] = [];
    const evaluate = vi.fn(() => {
      shown.push(evaluatePhase(input, timers.now()).remainingS);
      return msUntilNextPhaseUpdate(input, timers.now());
    });
    const wakeups = ['visibilitychange', 'pageshow', 'focus', 'online'].map(
      (t) => [page, t] as const,
    );
    const onWake = vi.fn();
    const ticker = new Ticker({ timers, wakeups, evaluate, beforeWakeup: onWake });
    return { timers, page, evaluate, shown, onWake, ticker };
  };

  it('evaluates once per second', () => {
    const { timers, shown, ticker } = setUp(5300);
    ticker.update();
    timers.advance(5299);
    expect(shown).toEqual([5, 4, 3, 2, 1, 0]);
  });

  it('is exact after a day', () => {
    const { timers, shown, ticker, evaluate } = setUp(DAY + 90_000);
    ticker.update();
    timers.advance(DAY);
    expect(shown.at(-1)).toBe(90);
    expect(evaluate.mock.calls.length).toBeLessThanOrEqual(86_402);
  });

  it('evaluates on a wake-up event after a sleep', () => {
    const { timers, shown, ticker, page, onWake } = setUp(5 * HOUR);
    ticker.update();
    timers.sleep(4 * HOUR);
    expect(shown.at(-1)).toBe(5 * 3600);
    page.dispatchEvent(new Event('visibilitychange'));
    expect(shown.at(-1)).toBe(3600);
    expect(onWake).toHaveBeenCalledOnce();
  });

  it('is right at the next tick after a sleep', () => {
    const { timers, shown, ticker } = setUp(5 * HOUR);
    ticker.update();
    timers.sleep(4 * HOUR);
    timers.advance(1);
    expect(shown.at(-1)).toBe(3599);
  });

  it('is right if timers fire late', () => {
    const { timers, shown, ticker } = setUp(HOUR);
    timers.delayMs = MINUTE;
    ticker.update();
    timers.advance(30 * MINUTE);
    const behindS = (shown.at(-1) ?? 0) - 1800;
    expect(behindS).toBeLessThanOrEqual(60);
    expect(shown.length).toBeLessThan(35);
    ticker.update();
    expect(shown.at(-1)).toBe(1800);
  });

  it.each(['visibilitychange', 'pageshow', 'focus', 'online'])('evaluates on %s', (type) => {
    const { page, evaluate } = setUp(HOUR);
    page.dispatchEvent(new Event(type));
    expect(evaluate).toHaveBeenCalledOnce();
  });

  it('keeps one timer after many updates', () => {
    const { timers, ticker } = setUp(HOUR);
    ticker.update();
    ticker.update();
    ticker.update();
    expect(timers.pendingCount).toBe(1);
  });

  it('leaves no timer or listener when disposed', () => {
    const { timers, page, ticker, evaluate } = setUp(HOUR);
    ticker.update();
    expect(page.listenerCount).toBe(4);
    ticker.dispose();
    ticker.dispose();
    ticker.update();
    page.dispatchEvent(new Event('focus'));
    expect(timers.pendingCount).toBe(0);
    expect(evaluate).toHaveBeenCalledOnce();
  });

  it('has the browser events and timers', () => {
    expect(browserWakeups().map(([, type]) => type)).toEqual([
      'visibilitychange',
      'pageshow',
      'focus',
      'online',
    ]);
    browserTimers.clearTimeout(browserTimers.setTimeout(() => undefined, 1000));
    expect(Math.abs(browserTimers.now() - Date.now())).toBeLessThan(1000);
    expect(browserTimers.monotonic()).toBeGreaterThan(0);
  });
});
