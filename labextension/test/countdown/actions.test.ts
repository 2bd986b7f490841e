import { beforeEach, describe, expect, it, vi } from 'vitest';

import {
  type ActionInputs,
  Actions,
  CLICK_COLLECTION_MS,
  type Recipient,
  SLOW_REQUEST_MS,
} from '../../src/countdown/actions';
import { type ChangeRequest, readChangeResult } from '../../src/countdown/messages';
import { FakeTimers, HOUR, MINUTE, NOW, SUCCESS } from './fakes';

const STOP = NOW + HOUR;
const inputs = (more: Partial<ActionInputs> = {}): ActionInputs => {
  const { stopsAtMs = STOP } = more;
  return {
    ...{ stopsAtMs, baseStopMs: stopsAtMs, fromMs: stopsAtMs, blockedReason: null },
    ...{ earliestMs: null, latestMs: null },
    ...more,
  };
};

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
  it('are collected into one request', () => {
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

  it('are shown before the response', () => {
    click(3600, false);
    expect(actions.shownStopMs).toBe(STOP + HOUR);
    timers.advance(CLICK_COLLECTION_MS);
    expect(actions.requestState).toBe('sent');
    expect(actions.shownStopMs).toBe(STOP + HOUR);
  });

  it('send nothing if they cancel each other out', () => {
    click(3600, false);
    click(-3600);
    expect(requests).toEqual([]);
    expect(actions.requestState).toBe('ready');
  });

  it('shorten if they are negative', () => {
    click(-1800);
    expect(requests[0]).toMatchObject({ action: 'shorten', seconds: 1800 });
  });

  it('during a request are sent after its response', () => {
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

  it('are dropped if the stop time changes', () => {
    click(3600, false);
    actions.update(inputs({ stopsAtMs: STOP + 5 * MINUTE }));
    timers.advance(CLICK_COLLECTION_MS);
    expect(requests).toEqual([]);
    expect(actions.feedback).toMatchObject({ tone: 'error', codes: ['changed'] });
  });

  it('are kept if the stop time varies slightly', () => {
    click(3600, false);
    actions.update(inputs({ stopsAtMs: STOP + 1000 }));
    timers.advance(CLICK_COLLECTION_MS);
    expect(requests).toMatchObject([{ seconds: 3600, base_stops_at_ms: STOP + 1000 }]);
    actions.update(inputs({ stopsAtMs: STOP }));
    sendResult('r1');
    expect(actions.feedback?.codes).toEqual(['done']);
    actions.update(inputs({ stopsAtMs: STOP + 1000 }));
    expect(actions.feedback?.codes).toEqual(['done']);
  });

  it('are dropped with the reason if changes become impossible', () => {
    click(3600, false);
    actions.update(inputs({ blockedReason: 'stopping' }));
    expect(actions.feedback?.codes).toEqual(['stopping']);
    expect(actions.requestState).toBe('ready');
  });

  it.each(['off', 'idle', 'unknown', 'stopped', 'stopping', 'no-kernel', 'no-permission'])(
    'show the reason when the state is %s',
    (reason) => {
      actions.update(inputs({ blockedReason: reason }));
      click(3600);
      expect(requests).toEqual([]);
      expect(actions.blockedReason(-1)).toBe(reason);
      expect(actions.feedback?.codes).toEqual([reason]);
    },
  );

  it('do nothing before the state is known', () => {
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
  it('limit a click and are reported', () => {
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

  it('limit shortening too', () => {
    actions.update(inputs({ earliestMs: STOP - 10 * MINUTE }));
    click(-3600);
    expect(requests[0]).toMatchObject({ action: 'shorten', seconds: 600 });
    expect(actions.feedback?.codes).toEqual(['at-earliest']);
    actions.update(inputs({ stopsAtMs: STOP - 10 * MINUTE, earliestMs: STOP - 10 * MINUTE }));
    sendResult('r1');
    expect(actions.feedback?.codes).toEqual(['at-earliest', 'now']);
    expect(actions.blockedReason(-3600)).toBe('at-earliest');
  });

  it('are not reported within the range', () => {
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

  it('are reported if the kernel was limited', () => {
    click(3600);
    actions.update(inputs({ stopsAtMs: STOP + MINUTE }));
    sendResult('r1', { code: 'at-latest' });
    expect(actions.feedback?.codes).toEqual(['at-latest', 'now']);
  });
});

describe('results', () => {
  it('of success contain the new stop time', () => {
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

  it('without a new state do not contain the old stop time', () => {
    click(3600);
    sendResult('r1');
    expect(actions.feedback?.codes).toEqual(['done']);
  });

  it('of a refusal revert the shown time', () => {
    click(3600);
    sendResult('r1', { ok: false, effect: null, code: 'no-permission', text: 'Forbidden.' });
    expect(actions.shownStopMs).toBe(STOP);
    expect(actions.feedback).toMatchObject({
      tone: 'error',
      codes: ['no-permission'],
      text: 'Forbidden.',
    });
  });

  it('for the next start drop later clicks', () => {
    click(3600);
    actions.click(3600);
    sendResult('r1', { effect: 'next-start' });
    timers.advance(HOUR);
    expect(requests).toHaveLength(1);
  });

  it('of a refusal drop later clicks', () => {
    click(3600);
    actions.click(3600);
    sendResult('r1', { ok: false, effect: null, code: '' });
    timers.advance(HOUR);
    expect(requests).toHaveLength(1);
    expect(actions.feedback?.codes).toEqual(['failed']);
  });

  it.each(['extend', 'shorten'])('for the next start report an unchanged run (%s)', (action) => {
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
  });

  it('without confirmation do not claim success', () => {
    click(3600);
    sendResult('r1', { effect: 'unconfirmed' });
    expect(actions.feedback).toMatchObject({ tone: 'info', codes: ['unconfirmed'] });
    expect(actions.shownStopMs).toBe(STOP);
  });

  it('of other requests are ignored', () => {
    click(3600);
    sendResult('another view');
    expect(actions.requestState).toBe('sent');
  });

  it('may arrive within the call', () => {
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

  it('are an error without a recipient', () => {
    recipient = null;
    click(3600);
    expect(actions.feedback).toMatchObject({ tone: 'error', codes: ['no-kernel'] });
    expect(actions.shownStopMs).toBe(STOP);
  });

  it('are removed when the stop time changes later', () => {
    click(3600);
    actions.update(inputs({ stopsAtMs: STOP + HOUR }));
    sendResult('r1');
    actions.update(inputs({ stopsAtMs: STOP + 2 * HOUR }));
    expect(actions.feedback).toBeNull();
  });
});

it('is not reported as slow while a dialog asks about it', () => {
  const dialog = document.createElement('div');
  dialog.className = 'jp-Dialog';
  document.body.append(dialog);
  click(3600);
  timers.advance(60_000);
  expect(actions.requestState).toBe('sent');
  dialog.remove();
  timers.advance(SLOW_REQUEST_MS);
  expect(actions.requestState).toBe('slow');
});

describe('a slow request', () => {
  beforeEach(() => {
    click(3600);
    timers.advance(SLOW_REQUEST_MS);
  });

  it('is reported after a second, with the actual time', () => {
    expect(actions.requestState).toBe('slow');
    expect(actions.pendingRequest).toMatchObject({ recipient: 'kernel', seconds: 3600 });
    expect(actions.shownStopMs).toBe(STOP);
    expect(actions.blockedReason(3600)).toBe('kernel-busy');
  });

  it('is carried out when the response arrives', () => {
    timers.advance(3 * HOUR);
    actions.update(inputs({ stopsAtMs: STOP + HOUR }));
    sendResult('r1');
    expect(actions.feedback?.codes).toEqual(['now']);
  });

  it('is refused if the stop time has changed', () => {
    actions.update(inputs({ stopsAtMs: STOP + 2 * HOUR }));
    expect(actions.requestState).toBe('slow');
    sendResult('r1', { ok: false, effect: null, code: 'changed' });
    expect(actions.feedback).toMatchObject({ tone: 'error', codes: ['changed'] });
    expect(actions.shownStopMs).toBe(STOP + 2 * HOUR);
  });

  it('can be cancelled, after which clicks are possible', () => {
    actions.cancel();
    expect(cancelRequest).toHaveBeenCalledWith('r1', 'kernel');
    expect(actions.feedback?.codes).toEqual(['cancel-requested']);
    expect(actions.blockedReason(3600)).toBeNull();
    sendResult('r1', { ok: false, effect: null, code: 'cancelled' });
    expect(actions.feedback?.codes).toEqual(['cancelled']);
  });

  it('is reported if it was too late to cancel', () => {
    actions.cancel();
    actions.update(inputs({ stopsAtMs: STOP + HOUR }));
    sendResult('r1');
    expect(actions.feedback).toMatchObject({ tone: 'success', codes: ['too-late', 'now'] });
    sendResult('r1', { ok: false, code: 'cancelled' });
    expect(actions.feedback?.codes).toEqual(['too-late', 'now']);
  });

  it('stays pending if the run changes', () => {
    actions.update(inputs({ blockedReason: 'stopping' }));
    expect(actions.requestState).toBe('slow');
  });

  it('fails if the kernel disconnects', () => {
    actions.update(inputs({ blockedReason: 'no-kernel' }));
    expect(actions.feedback?.codes).toEqual(['no-kernel']);
    expect(actions.requestState).toBe('ready');
  });
});

it('a request to the page survives the kernel', () => {
  recipient = 'page';
  click(3600);
  actions.update(inputs({ blockedReason: 'no-kernel' }));
  expect(actions.requestState).toBe('sent');
  actions.update(inputs({ stopsAtMs: STOP + HOUR }));
  sendResult('r1');
  expect(actions.feedback?.codes).toEqual(['now']);
});

describe('cancelling', () => {
  it('does nothing without a request', () => {
    actions.cancel();
    expect(actions.feedback).toBeNull();
  });
});

describe('disposing', () => {
  it('sends collected clicks once', () => {
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
