import { beforeEach, describe, expect, it, vi } from 'vitest';

import { Actions, COLLECT_MS, type Facts, type Route, WAIT_MS } from '../../src/countdown/actions';
import { type ChangeRequest, readAnswer } from '../../src/countdown/messages';
import { DONE, FakeTimers, HOUR, MINUTE, NOW } from './fakes';

const STOP = NOW + HOUR;
const facts = (more: Partial<Facts> = {}): Facts => ({
  stopsAtMs: STOP,
  blocked: null,
  earliestMs: null,
  latestMs: null,
  ...more,
});

let timers: FakeTimers;
let asked: ChangeRequest[];
let route: Route | null;
let withdraw: ReturnType<typeof vi.fn<(id: string, route: Route) => void>>;
let actions: Actions;

beforeEach(() => {
  timers = new FakeTimers();
  asked = [];
  route = 'kernel';
  withdraw = vi.fn();
  let id = 0;
  actions = new Actions({
    timers,
    newId: () => `r${++id}`,
    ask: (request) => {
      asked.push(request);
      return route;
    },
    withdraw,
    onChange: () => undefined,
  });
  actions.update(facts());
});

const click = (seconds: number, settle = true): void => {
  actions.click(seconds);
  if (settle) {
    timers.advance(COLLECT_MS);
  }
};
const answer = (id: string, more: object = {}): void => {
  actions.answer(id, readAnswer({ ...DONE, ...more }));
};

describe('clicks', () => {
  it('become one request, half a second after the last one', () => {
    for (let i = 0; i < 12; i++) {
      click(3600, false);
      timers.advance(COLLECT_MS - 1);
    }
    expect(asked).toEqual([]);
    timers.advance(1);
    expect(asked).toEqual([
      { id: 'r1', action: 'extend', seconds: 12 * 3600, base_stops_at_ms: STOP },
    ]);
  });

  it('are shown before they are answered', () => {
    click(3600, false);
    expect(actions.shownStopMs).toBe(STOP + HOUR);
    timers.advance(COLLECT_MS);
    expect(actions.stage).toBe('sent');
    expect(actions.shownStopMs).toBe(STOP + HOUR);
  });

  it('that cancel each other out send nothing', () => {
    click(3600, false);
    click(-3600);
    expect(asked).toEqual([]);
    expect(actions.stage).toBe('ready');
  });

  it('the other way shorten', () => {
    click(-1800);
    expect(asked[0]).toMatchObject({ action: 'shorten', seconds: 1800 });
  });

  it('during a request wait for its answer and go on from there', () => {
    click(3600);
    actions.click(3600);
    actions.click(3600);
    timers.advance(COLLECT_MS);
    expect(asked).toHaveLength(1);
    actions.update(facts({ stopsAtMs: STOP + HOUR }));
    answer('r1');
    expect(actions.shownStopMs).toBe(STOP + 3 * HOUR);
    timers.advance(COLLECT_MS);
    expect(asked[1]).toMatchObject({ seconds: 7200, base_stops_at_ms: STOP + HOUR });
  });

  it('are dropped when the stop time changes before they are sent', () => {
    click(3600, false);
    actions.update(facts({ stopsAtMs: STOP + 5 * MINUTE }));
    timers.advance(COLLECT_MS);
    expect(asked).toEqual([]);
    expect(actions.note).toMatchObject({ tone: 'bad', codes: ['changed'] });
  });

  it('are not dropped by a stop time that only wobbles, as one does that follows from the time left', () => {
    click(3600, false);
    actions.update(facts({ stopsAtMs: STOP + 1000 }));
    timers.advance(COLLECT_MS);
    expect(asked).toMatchObject([{ seconds: 3599, base_stops_at_ms: STOP + 1000 }]);
    actions.update(facts({ stopsAtMs: STOP }));
    answer('r1');
    expect(actions.note?.codes).toEqual(['done']);
    actions.update(facts({ stopsAtMs: STOP + 1000 }));
    expect(actions.note?.codes).toEqual(['done']);
  });

  it('are dropped with the reason when nothing can be changed any more', () => {
    click(3600, false);
    actions.update(facts({ blocked: 'stopping' }));
    expect(actions.note?.codes).toEqual(['stopping']);
    expect(actions.stage).toBe('ready');
  });

  it.each(['off', 'idle', 'unknown', 'stopped', 'stopping', 'no-kernel', 'no-permission'])(
    'do nothing but say why when it is %s',
    (reason) => {
      actions.update(facts({ blocked: reason }));
      click(3600);
      expect(asked).toEqual([]);
      expect(actions.blocked(-1)).toBe(reason);
      expect(actions.note?.codes).toEqual([reason]);
    },
  );

  it('do nothing before anything is known', () => {
    const fresh = new Actions({
      timers,
      newId: () => 'x',
      ask: () => 'kernel',
      withdraw,
      onChange: () => undefined,
    });
    expect(fresh.blocked(1)).toBe('unknown');
    fresh.update(facts({ stopsAtMs: null }));
    expect(fresh.blocked(1)).toBe('unknown');
  });
});

describe('bounds', () => {
  it('are gone to when a click is beyond, and that is said', () => {
    actions.update(facts({ latestMs: STOP + 30 * MINUTE }));
    click(3600);
    expect(asked[0]).toMatchObject({ seconds: 1800 });
    expect(actions.note?.codes).toEqual(['at-latest']);
    actions.update(facts({ stopsAtMs: STOP + 30 * MINUTE, latestMs: STOP + 30 * MINUTE }));
    answer('r1');
    expect(actions.note).toMatchObject({ tone: 'good', codes: ['at-latest', 'now'] });
    expect(actions.blocked(3600)).toBe('at-latest');
    expect(actions.blocked(-3600)).toBeNull();
  });

  it('hold the other way too', () => {
    actions.update(facts({ earliestMs: STOP - 10 * MINUTE }));
    click(-3600);
    expect(asked[0]).toMatchObject({ action: 'shorten', seconds: 600 });
    expect(actions.note?.codes).toEqual(['at-earliest']);
    actions.update(facts({ stopsAtMs: STOP - 10 * MINUTE, earliestMs: STOP - 10 * MINUTE }));
    answer('r1');
    expect(actions.note?.codes).toEqual(['at-earliest', 'now']);
    expect(actions.blocked(-3600)).toBe('at-earliest');
  });

  it('say nothing of a click that stays within them, or comes back', () => {
    actions.update(facts({ earliestMs: STOP - 30 * MINUTE, latestMs: STOP + 90 * MINUTE }));
    actions.click(7200);
    expect(actions.note?.codes).toEqual(['at-latest']);
    click(-1800);
    expect(actions.note).toBeNull();
    expect(asked[0]).toMatchObject({ action: 'extend', seconds: 3600 });
    actions.update(facts({ stopsAtMs: STOP + HOUR }));
    answer('r1');
    expect(actions.note?.codes).toEqual(['now']);
  });

  it('that the kernel ran into are said as well', () => {
    click(3600);
    actions.update(facts({ stopsAtMs: STOP + MINUTE }));
    answer('r1', { code: 'at-latest' });
    expect(actions.note?.codes).toEqual(['at-latest', 'now']);
  });
});

describe('answers', () => {
  it('that say done name the new stop time', () => {
    click(3600);
    actions.update(facts({ stopsAtMs: STOP + HOUR }));
    answer('r1');
    expect(actions.note).toMatchObject({ tone: 'good', codes: ['now'], stopsAtMs: STOP + HOUR });
    expect(actions.stage).toBe('ready');
    expect(timers.pending).toBe(0);
  });

  it('that say done without the new state do not name the old stop time', () => {
    click(3600);
    answer('r1');
    expect(actions.note?.codes).toEqual(['done']);
  });

  it('that refuse take the shown time back and say why', () => {
    click(3600);
    answer('r1', { ok: false, effect: null, code: 'no-permission', text: 'Forbidden.' });
    expect(actions.shownStopMs).toBe(STOP);
    expect(actions.note).toMatchObject({
      tone: 'bad',
      codes: ['no-permission'],
      text: 'Forbidden.',
    });
  });

  it('for the next start only take later clicks back too', () => {
    click(3600);
    actions.click(3600);
    answer('r1', { effect: 'next-start' });
    timers.advance(HOUR);
    expect(asked).toHaveLength(1);
  });

  it('that refuse take later clicks back too', () => {
    click(3600);
    actions.click(3600);
    answer('r1', { ok: false, effect: null, code: '' });
    timers.advance(HOUR);
    expect(asked).toHaveLength(1);
    expect(actions.note?.codes).toEqual(['failed']);
  });

  it.each(['extend', 'shorten'])(
    'for the next start only begin with the bad news (%s)',
    (action) => {
      click(action === 'extend' ? 3600 : -1800);
      const values = { duration_s: 7200, previous_duration_s: 3600 };
      answer('r1', { effect: 'next-start', values });
      expect(actions.note).toMatchObject({
        tone: 'bad',
        codes: [`next-start-${action}`],
        durationS: 7200,
        previousDurationS: 3600,
      });
      expect(actions.shownStopMs).toBe(STOP);
    },
  );

  it('that are unconfirmed claim nothing', () => {
    click(3600);
    answer('r1', { effect: 'unconfirmed' });
    expect(actions.note).toMatchObject({ tone: 'info', codes: ['unconfirmed'] });
    expect(actions.shownStopMs).toBe(STOP);
  });

  it('to somebody else are not ours', () => {
    click(3600);
    answer('another view');
    expect(actions.stage).toBe('sent');
  });

  it('may come within the call, and then nothing waits', () => {
    const direct = new Actions({
      timers,
      newId: () => 'd',
      ask: ({ id }) => {
        direct.update(facts({ stopsAtMs: STOP + HOUR }));
        direct.answer(id, readAnswer(DONE));
        return 'page';
      },
      withdraw,
      onChange: () => undefined,
    });
    direct.update(facts());
    direct.click(3600);
    timers.advance(COLLECT_MS + WAIT_MS);
    expect(direct.stage).toBe('ready');
    expect(direct.flight).toBeNull();
    expect(direct.note?.codes).toEqual(['now']);
  });

  it('cannot come when nobody could be asked', () => {
    route = null;
    click(3600);
    expect(actions.note).toMatchObject({ tone: 'bad', codes: ['no-kernel'] });
    expect(actions.shownStopMs).toBe(STOP);
  });

  it('go stale when the stop time changes elsewhere afterwards', () => {
    click(3600);
    actions.update(facts({ stopsAtMs: STOP + HOUR }));
    answer('r1');
    actions.update(facts({ stopsAtMs: STOP + 2 * HOUR }));
    expect(actions.note).toBeNull();
  });
});

describe('a click that waits', () => {
  beforeEach(() => {
    click(3600);
    timers.advance(WAIT_MS);
  });

  it('says so after a second, and the time shown is the true one again', () => {
    expect(actions.stage).toBe('waiting');
    expect(actions.flight).toMatchObject({ route: 'kernel', seconds: 3600 });
    expect(actions.shownStopMs).toBe(STOP);
    expect(actions.blocked(3600)).toBe('click-waits');
  });

  it('is carried out when the answer comes at last', () => {
    timers.advance(3 * HOUR);
    actions.update(facts({ stopsAtMs: STOP + HOUR }));
    answer('r1');
    expect(actions.note?.codes).toEqual(['now']);
  });

  it('is dropped by the kernel when the stop time changed meanwhile', () => {
    actions.update(facts({ stopsAtMs: STOP + 2 * HOUR }));
    expect(actions.stage).toBe('waiting');
    answer('r1', { ok: false, effect: null, code: 'changed' });
    expect(actions.note).toMatchObject({ tone: 'bad', codes: ['changed'] });
    expect(actions.shownStopMs).toBe(STOP + 2 * HOUR);
  });

  it('can be cancelled, and new clicks are free at once', () => {
    actions.cancel();
    expect(withdraw).toHaveBeenCalledWith('r1', 'kernel');
    expect(actions.note?.codes).toEqual(['cancel-sent']);
    expect(actions.blocked(3600)).toBeNull();
    answer('r1', { ok: false, effect: null, code: 'cancelled' });
    expect(actions.note?.codes).toEqual(['cancelled']);
  });

  it('that was carried out before the cancel came is told truthfully', () => {
    actions.cancel();
    actions.update(facts({ stopsAtMs: STOP + HOUR }));
    answer('r1');
    expect(actions.note).toMatchObject({ tone: 'good', codes: ['too-late', 'now'] });
    answer('r1', { ok: false, code: 'cancelled' });
    expect(actions.note?.codes).toEqual(['too-late', 'now']);
  });

  it('goes on waiting for who has taken it, whatever becomes of the run', () => {
    actions.update(facts({ blocked: 'stopping' }));
    expect(actions.stage).toBe('waiting');
  });

  it('comes to nothing when the kernel goes away', () => {
    actions.update(facts({ blocked: 'no-kernel' }));
    expect(actions.note?.codes).toEqual(['no-kernel']);
    expect(actions.stage).toBe('ready');
  });
});

it('a click that the page has taken is not lost with the kernel', () => {
  route = 'page';
  click(3600);
  actions.update(facts({ blocked: 'no-kernel' }));
  expect(actions.stage).toBe('sent');
  actions.update(facts({ stopsAtMs: STOP + HOUR }));
  answer('r1');
  expect(actions.note?.codes).toEqual(['now']);
});

describe('cancelling', () => {
  it('nothing does nothing', () => {
    actions.cancel();
    expect(actions.note).toBeNull();
  });
});

describe('the end of a view', () => {
  it('sends a click that was not sent yet, once', () => {
    click(3600, false);
    actions.dispose();
    expect(asked).toHaveLength(1);
    actions.dispose();
    expect(asked).toHaveLength(1);
    expect(timers.pending).toBe(0);
  });

  it('leaves no timer', () => {
    click(3600);
    expect(timers.pending).toBe(1);
    actions.dispose();
    expect(timers.pending).toBe(0);
  });
});
