import { beforeEach, describe, expect, it, vi } from 'vitest';

import {
  Actions,
  CLICK_COLLECTION_MS,
  type ActionInputs,
  type Recipient,
  SLOW_REQUEST_MS,
} from '../../src/countdown/actions';
import { type ChangeRequest, readChangeResult } from '../../src/countdown/messages';
import { SUCCESS, FakeTimers, HOUR, MINUTE, NOW } from './fakes';

const STOP = NOW + HOUR;
const inputs = (more: Partial<ActionInputs> = {}): ActionInputs => ({
  stopsAtMs: STOP,
  blockedReason: null,
  earliestMs: null,
  latestMs: null,
  ...more,
});

let timers: FakeTimers;
let requests: ChangeRequest[];
let recipient: Recipient | null;
let cancelRequest: ReturnType<typeof vi.fn<(id: string, route: Recipient) => void>>;
let actions: Actions;

beforeEach(() => {
  timers = new FakeTimers();
  requests = [];
  recipient = 'kernel';
  cancelRequest = vi.fn();
  let id = 0;
  actions = new Actions({
    timers,
    newId: () => `r${++id}`,
    sendRequest: (request) => {
      requests.push(request);
      return recipient;
    },
    cancelRequest,
    onChange: () => undefined,
  });
  actions.update(inputs());
});

const click = (seconds: number, settle = true): void => {
  actions.click(seconds);
  if (settle) {
    timers.advance(CLICK_COLLECTION_MS);
  }
};
const sendResult = (id: string, more: object = {}): void => {
  actions.handleResult(id, readChangeResult({ ...SUCCESS, ...more }));
};

describe('clicks', () => {
  it('become one request, half a second after the last one', () => {
    for (let i = 0; i < 12; i++) {
      click(3600, false);
      timers.advance(CLICK_COLLECTION_MS - 1);
    }
    expect(requests).toEqual([]);
    timers.advance(1);
    expect(requests).toEqual([
      { id: 'r1', action: 'extend', seconds: 12 * 3600, base_stops_at_ms: STOP },
    ]);
  });

  it('are shown before they are answered', () => {
    click(3600, false);
    expect(actions.shownStopMs).toBe(STOP + HOUR);
    timers.advance(CLICK_COLLECTION_MS);
    expect(actions.requestState).toBe('sent');
    expect(actions.shownStopMs).toBe(STOP + HOUR);
  });

  it('that cancel each other out send nothing', () => {
    click(3600, false);
    click(-3600);
    expect(requests).toEqual([]);
    expect(actions.requestState).toBe('ready');
  });

  it('the other way shorten', () => {
    click(-1800);
    expect(requests[0]).toMatchObject({ action: 'shorten', seconds: 1800 });
  });

  it('during a request wait for its answer and go on from there', () => {
    click(3600);
    actions.click(3600);
    actions.click(3600);
    timers.advance(CLICK_COLLECTION_MS);
    expect(requests).toHaveLength(1);
    actions.update(inputs({ stopsAtMs: STOP + HOUR }));
    sendResult('r1');
    expect(actions.shownStopMs).toBe(STOP + 3 * HOUR);
    timers.advance(CLICK_COLLECTION_MS);
    expect(requests[1]).toMatchObject({ seconds: 7200, base_stops_at_ms: STOP + HOUR });
  });

  it('are dropped when the stop time changes before they are sent', () => {
    click(3600, false);
    actions.update(inputs({ stopsAtMs: STOP + 5 * MINUTE }));
    timers.advance(CLICK_COLLECTION_MS);
    expect(requests).toEqual([]);
    expect(actions.feedback).toMatchObject({ tone: 'error', codes: ['changed'] });
  });

  it('are not dropped by a stop time that only wobbles, as one does that follows from the time left', () => {
    click(3600, false);
    actions.update(inputs({ stopsAtMs: STOP + 1000 }));
    timers.advance(CLICK_COLLECTION_MS);
    expect(requests).toMatchObject([{ seconds: 3599, base_stops_at_ms: STOP + 1000 }]);
    actions.update(inputs({ stopsAtMs: STOP }));
    sendResult('r1');
    expect(actions.feedback?.codes).toEqual(['done']);
    actions.update(inputs({ stopsAtMs: STOP + 1000 }));
    expect(actions.feedback?.codes).toEqual(['done']);
  });

  it('are dropped with the reason when nothing can be changed any more', () => {
    click(3600, false);
    actions.update(inputs({ blockedReason: 'stopping' }));
    expect(actions.feedback?.codes).toEqual(['stopping']);
    expect(actions.requestState).toBe('ready');
  });

  it.each(['off', 'idle', 'unknown', 'stopped', 'stopping', 'no-kernel', 'no-permission'])(
    'do nothing but say why when it is %s',
    (reason) => {
      actions.update(inputs({ blockedReason: reason }));
      click(3600);
      expect(requests).toEqual([]);
      expect(actions.blockedReason(-1)).toBe(reason);
      expect(actions.feedback?.codes).toEqual([reason]);
    },
  );

  it('do nothing before anything is known', () => {
    const fresh = new Actions({
      timers,
      newId: () => 'x',
      sendRequest: () => 'kernel',
      cancelRequest,
      onChange: () => undefined,
    });
    expect(fresh.blockedReason(1)).toBe('unknown');
    fresh.update(inputs({ stopsAtMs: null }));
    expect(fresh.blockedReason(1)).toBe('unknown');
  });
});

describe('bounds', () => {
  it('are gone to when a click is beyond, and that is said', () => {
    actions.update(inputs({ latestMs: STOP + 30 * MINUTE }));
    click(3600);
    expect(requests[0]).toMatchObject({ seconds: 1800 });
    expect(actions.feedback?.codes).toEqual(['at-latest']);
    actions.update(inputs({ stopsAtMs: STOP + 30 * MINUTE, latestMs: STOP + 30 * MINUTE }));
    sendResult('r1');
    expect(actions.feedback).toMatchObject({ tone: 'success', codes: ['at-latest', 'now'] });
    expect(actions.blockedReason(3600)).toBe('at-latest');
    expect(actions.blockedReason(-3600)).toBeNull();
  });

  it('hold the other way too', () => {
    actions.update(inputs({ earliestMs: STOP - 10 * MINUTE }));
    click(-3600);
    expect(requests[0]).toMatchObject({ action: 'shorten', seconds: 600 });
    expect(actions.feedback?.codes).toEqual(['at-earliest']);
    actions.update(inputs({ stopsAtMs: STOP - 10 * MINUTE, earliestMs: STOP - 10 * MINUTE }));
    sendResult('r1');
    expect(actions.feedback?.codes).toEqual(['at-earliest', 'now']);
    expect(actions.blockedReason(-3600)).toBe('at-earliest');
  });

  it('say nothing of a click that stays within them, or comes back', () => {
    actions.update(inputs({ earliestMs: STOP - 30 * MINUTE, latestMs: STOP + 90 * MINUTE }));
    actions.click(7200);
    expect(actions.feedback?.codes).toEqual(['at-latest']);
    click(-1800);
    expect(actions.feedback).toBeNull();
    expect(requests[0]).toMatchObject({ action: 'extend', seconds: 3600 });
    actions.update(inputs({ stopsAtMs: STOP + HOUR }));
    sendResult('r1');
    expect(actions.feedback?.codes).toEqual(['now']);
  });

  it('that the kernel ran into are said as well', () => {
    click(3600);
    actions.update(inputs({ stopsAtMs: STOP + MINUTE }));
    sendResult('r1', { code: 'at-latest' });
    expect(actions.feedback?.codes).toEqual(['at-latest', 'now']);
  });
});

describe('answers', () => {
  it('that say done name the new stop time', () => {
    click(3600);
    actions.update(inputs({ stopsAtMs: STOP + HOUR }));
    sendResult('r1');
    expect(actions.feedback).toMatchObject({
      tone: 'success',
      codes: ['now'],
      stopsAtMs: STOP + HOUR,
    });
    expect(actions.requestState).toBe('ready');
    expect(timers.pendingCount).toBe(0);
  });

  it('that say done without the new state do not name the old stop time', () => {
    click(3600);
    sendResult('r1');
    expect(actions.feedback?.codes).toEqual(['done']);
  });

  it('that refuse take the shown time back and say why', () => {
    click(3600);
    sendResult('r1', { ok: false, effect: null, code: 'no-permission', text: 'Forbidden.' });
    expect(actions.shownStopMs).toBe(STOP);
    expect(actions.feedback).toMatchObject({
      tone: 'error',
      codes: ['no-permission'],
      text: 'Forbidden.',
    });
  });

  it('for the next start only take later clicks back too', () => {
    click(3600);
    actions.click(3600);
    sendResult('r1', { effect: 'next-start' });
    timers.advance(HOUR);
    expect(requests).toHaveLength(1);
  });

  it('that refuse take later clicks back too', () => {
    click(3600);
    actions.click(3600);
    sendResult('r1', { ok: false, effect: null, code: '' });
    timers.advance(HOUR);
    expect(requests).toHaveLength(1);
    expect(actions.feedback?.codes).toEqual(['failed']);
  });

  it.each(['extend', 'shorten'])(
    'for the next start only begin with the bad news (%s)',
    (action) => {
      click(action === 'extend' ? 3600 : -1800);
      const values = { duration_s: 7200, previous_duration_s: 3600 };
      sendResult('r1', { effect: 'next-start', values });
      expect(actions.feedback).toMatchObject({
        tone: 'error',
        codes: [`next-start-${action}`],
        durationS: 7200,
        previousDurationS: 3600,
      });
      expect(actions.shownStopMs).toBe(STOP);
    },
  );

  it('that are unconfirmed claim nothing', () => {
    click(3600);
    sendResult('r1', { effect: 'unconfirmed' });
    expect(actions.feedback).toMatchObject({ tone: 'info', codes: ['unconfirmed'] });
    expect(actions.shownStopMs).toBe(STOP);
  });

  it('to somebody else are not ours', () => {
    click(3600);
    sendResult('another view');
    expect(actions.requestState).toBe('sent');
  });

  it('may come within the call, and then nothing waits', () => {
    const direct = new Actions({
      timers,
      newId: () => 'd',
      sendRequest: ({ id }) => {
        direct.update(inputs({ stopsAtMs: STOP + HOUR }));
        direct.handleResult(id, readChangeResult(SUCCESS));
        return 'page';
      },
      cancelRequest,
      onChange: () => undefined,
    });
    direct.update(inputs());
    direct.click(3600);
    timers.advance(CLICK_COLLECTION_MS + SLOW_REQUEST_MS);
    expect(direct.requestState).toBe('ready');
    expect(direct.pendingRequest).toBeNull();
    expect(direct.feedback?.codes).toEqual(['now']);
  });

  it('cannot come when nobody could be asked', () => {
    recipient = null;
    click(3600);
    expect(actions.feedback).toMatchObject({ tone: 'error', codes: ['no-kernel'] });
    expect(actions.shownStopMs).toBe(STOP);
  });

  it('go stale when the stop time changes elsewhere afterwards', () => {
    click(3600);
    actions.update(inputs({ stopsAtMs: STOP + HOUR }));
    sendResult('r1');
    actions.update(inputs({ stopsAtMs: STOP + 2 * HOUR }));
    expect(actions.feedback).toBeNull();
  });
});

describe('a click that waits', () => {
  beforeEach(() => {
    click(3600);
    timers.advance(SLOW_REQUEST_MS);
  });

  it('says so after a second, and the time shown is the true one again', () => {
    expect(actions.requestState).toBe('slow');
    expect(actions.pendingRequest).toMatchObject({ recipient: 'kernel', seconds: 3600 });
    expect(actions.shownStopMs).toBe(STOP);
    expect(actions.blockedReason(3600)).toBe('kernel-busy');
  });

  it('is carried out when the answer comes at last', () => {
    timers.advance(3 * HOUR);
    actions.update(inputs({ stopsAtMs: STOP + HOUR }));
    sendResult('r1');
    expect(actions.feedback?.codes).toEqual(['now']);
  });

  it('is dropped by the kernel when the stop time changed meanwhile', () => {
    actions.update(inputs({ stopsAtMs: STOP + 2 * HOUR }));
    expect(actions.requestState).toBe('slow');
    sendResult('r1', { ok: false, effect: null, code: 'changed' });
    expect(actions.feedback).toMatchObject({ tone: 'error', codes: ['changed'] });
    expect(actions.shownStopMs).toBe(STOP + 2 * HOUR);
  });

  it('can be cancelled, and new clicks are free at once', () => {
    actions.cancel();
    expect(cancelRequest).toHaveBeenCalledWith('r1', 'kernel');
    expect(actions.feedback?.codes).toEqual(['cancel-requested']);
    expect(actions.blockedReason(3600)).toBeNull();
    sendResult('r1', { ok: false, effect: null, code: 'cancelled' });
    expect(actions.feedback?.codes).toEqual(['cancelled']);
  });

  it('that was carried out before the cancel came is told truthfully', () => {
    actions.cancel();
    actions.update(inputs({ stopsAtMs: STOP + HOUR }));
    sendResult('r1');
    expect(actions.feedback).toMatchObject({ tone: 'success', codes: ['too-late', 'now'] });
    sendResult('r1', { ok: false, code: 'cancelled' });
    expect(actions.feedback?.codes).toEqual(['too-late', 'now']);
  });

  it('goes on waiting for who has taken it, whatever becomes of the run', () => {
    actions.update(inputs({ blockedReason: 'stopping' }));
    expect(actions.requestState).toBe('slow');
  });

  it('comes to nothing when the kernel goes away', () => {
    actions.update(inputs({ blockedReason: 'no-kernel' }));
    expect(actions.feedback?.codes).toEqual(['no-kernel']);
    expect(actions.requestState).toBe('ready');
  });
});

it('a click that the page has taken is not lost with the kernel', () => {
  recipient = 'page';
  click(3600);
  actions.update(inputs({ blockedReason: 'no-kernel' }));
  expect(actions.requestState).toBe('sent');
  actions.update(inputs({ stopsAtMs: STOP + HOUR }));
  sendResult('r1');
  expect(actions.feedback?.codes).toEqual(['now']);
});

describe('cancelling', () => {
  it('nothing does nothing', () => {
    actions.cancel();
    expect(actions.feedback).toBeNull();
  });
});

describe('the end of a view', () => {
  it('sends a click that was not sent yet, once', () => {
    click(3600, false);
    actions.dispose();
    expect(requests).toHaveLength(1);
    actions.dispose();
    expect(requests).toHaveLength(1);
    expect(timers.pendingCount).toBe(0);
  });

  it('leaves no timer', () => {
    click(3600);
    expect(timers.pendingCount).toBe(1);
    actions.dispose();
    expect(timers.pendingCount).toBe(0);
  });
});
