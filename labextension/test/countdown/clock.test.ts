import { beforeEach, describe, expect, it, vi } from 'vitest';

import { browserTimers, browserWakeups, ServerClock, Ticker } from '../../src/countdown/clock';
import { msUntilNextPhaseUpdate, type PhaseInput, evaluatePhase } from '../../src/countdown/phase';
import { ListenerCountingTarget, FakeTimers, HOUR, MINUTE, NOW } from './fakes';

const DAY = 24 * HOUR;

describe('the server clock', () => {
  let timers: FakeTimers;
  let clock: ServerClock;

  beforeEach(() => {
    timers = new FakeTimers();
    clock = new ServerClock(timers);
  });

  it('is the local clock, unchecked, until a fresh message arrives', () => {
    expect(clock.now()).toBe(NOW);
    expect(clock.isSynced).toBe(false);
    expect(clock.ageMs).toBe(Infinity);
  });

  it.each([-DAY, DAY, 7 * HOUR + 1])(
    'follows the server when the local clock is off by %i ms',
    (off) => {
      clock.sync(NOW + off);
      timers.advance(DAY);
      expect(clock.now()).toBe(NOW + off + DAY);
      expect(clock.isSynced).toBe(true);
    },
  );

  it('keeps its offset through a sleep but no longer counts as checked', () => {
    clock.sync(NOW + 5000);
    timers.sleep(3 * HOUR);
    expect(clock.detectJump()).toBe(true);
    expect(clock.detectJump()).toBe(false);
    expect(clock.isSynced).toBe(false);
    expect(clock.now()).toBe(NOW + 3 * HOUR + 5000);
  });

  it('notices a local clock that was set back, and is right after the next message', () => {
    clock.sync(NOW);
    timers.sleep(-DAY);
    expect(clock.detectJump()).toBe(true);
    clock.sync(NOW);
    expect(clock.now()).toBe(NOW);
    expect(clock.detectJump()).toBe(false);
  });

  it('is right after a message that came before the jump was noticed', () => {
    clock.sync(NOW);
    timers.sleep(3 * HOUR);
    clock.sync(NOW + 3 * HOUR);
    expect(clock.detectJump()).toBe(false);
    expect(clock.isSynced).toBe(true);
  });

  it('is not shaken by timers that fire late', () => {
    clock.sync(NOW);
    timers.advance(10 * MINUTE);
    expect(clock.detectJump()).toBe(false);
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

  it('shows every second once, on the second of the stop time', () => {
    const { timers, shown, ticker } = setUp(5300);
    ticker.update();
    timers.advance(5299);
    expect(shown).toEqual([5, 4, 3, 2, 1, 0]);
  });

  it('is exact a day later', () => {
    const { timers, shown, ticker, evaluate } = setUp(DAY + 90_000);
    ticker.update();
    timers.advance(DAY);
    expect(shown.at(-1)).toBe(90);
    expect(evaluate.mock.calls.length).toBeLessThanOrEqual(86_402);
  });

  it('is right at once after a sleep, when the page wakes up', () => {
    const { timers, shown, ticker, page, onWake } = setUp(5 * HOUR);
    ticker.update();
    timers.sleep(4 * HOUR);
    expect(shown.at(-1)).toBe(5 * 3600);
    page.dispatchEvent(new Event('visibilitychange'));
    expect(shown.at(-1)).toBe(3600);
    expect(onWake).toHaveBeenCalledOnce();
  });

  it('is right at the next tick after a sleep that no event told of', () => {
    const { timers, shown, ticker } = setUp(5 * HOUR);
    ticker.update();
    timers.sleep(4 * HOUR);
    timers.advance(1);
    expect(shown.at(-1)).toBe(3599);
  });

  it('counts nothing: timers a minute late still show the right time', () => {
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

  it.each(['visibilitychange', 'pageshow', 'focus', 'online'])('looks again on %s', (type) => {
    const { page, evaluate } = setUp(HOUR);
    page.dispatchEvent(new Event(type));
    expect(evaluate).toHaveBeenCalledOnce();
  });

  it('keeps one timer, however often it is poked', () => {
    const { timers, ticker } = setUp(HOUR);
    ticker.update();
    ticker.update();
    ticker.update();
    expect(timers.pendingCount).toBe(1);
  });

  it('leaves no timer and no listener behind, and may be disposed of twice', () => {
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

  it('has the browser events and timers to run on', () => {
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
