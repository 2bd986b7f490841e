import { describe, expect, it } from 'vitest';
import { LazyBackend } from '../../src/backend/lazy';
import { asObject } from '../../src/countdown/messages';
import { BackendError } from '../../src/tokens';
import { HOUR, MINUTE, NOW } from '../countdown/fakes';
import {
  changeResponse,
  FakeBackend,
  flushPromises,
  instancePayload,
  ManagerHarness,
} from '../fakes';

describe('reading', () => {
  it('provides the state and the time of the backend', async () => {
    const harness = new ManagerHarness();
    await harness.refreshWith(instancePayload(72 * MINUTE, { server_now_ms: NOW + 5_000 }));
    expect(harness.manager.payload?.instance?.name).toBe('train-a');
    expect(harness.manager.clock.now()).toBe(NOW + 5_000);
    expect(harness.manager.backend).toBe('server-extension');
    expect(harness.changeCount).toBe(1);
  });

  it('does not poll a backend with events', async () => {
    const harness = new ManagerHarness();
    await harness.refreshWith();
    await harness.advance(HOUR);
    expect(harness.backend.requests).toHaveLength(1);
  });

  it('sends one request for concurrent reads', async () => {
    const harness = new ManagerHarness();
    await Promise.all([harness.manager.refresh(), harness.manager.refresh()]);
    expect(harness.backend.requestLines).toEqual(['GET instance']);
  });

  it('calls the API on a refresh by the user', async () => {
    const harness = new ManagerHarness();
    await harness.manager.refresh(true);
    expect(harness.backend.requestLines).toEqual(['GET instance?refresh=1']);
    await Promise.all([harness.manager.refresh(), harness.manager.refresh(true)]);
    expect(harness.backend.requestLines.slice(1)).toEqual([
      'GET instance',
      'GET instance?refresh=1',
    ]);
  });

  it('resets the delay after a success', async () => {
    const harness = new ManagerHarness();
    const lost = () => {
      throw new BackendError('unreachable');
    };
    harness.backend.respond = lost;
    await harness.refreshWith();
    expect(harness.manager.backend).toBeNull();
    await harness.advance(3_000);
    harness.backend.respond = () => instancePayload();
    await harness.manager.refresh();
    harness.backend.respond = lost;
    await harness.refreshWith();
    await harness.advance(3_000);
    expect(harness.backend.requests).toHaveLength(5);
  });

  it('is retried after at most five minutes', async () => {
    const harness = new ManagerHarness();
    harness.backend.respond = () => {
      throw new BackendError('unreachable');
    };
    await harness.refreshWith();
    for (let minute = 0; minute < 60; minute++) {
      await harness.advance(MINUTE);
    }
    const before = harness.backend.requests.length;
    for (let minute = 0; minute < 60; minute++) {
      await harness.advance(MINUTE);
    }
    expect(harness.backend.requests.length - before).toBe(12);
  });

  it('keeps the state on errors and retries with backoff', async () => {
    const harness = new ManagerHarness();
    await harness.refreshWith();
    harness.backend.respond = () => {
      throw new BackendError('unreachable');
    };
    await harness.refreshWith();
    expect(harness.manager.failure?.code).toBe('unreachable');
    expect(harness.manager.payload?.instance?.id).toBe('i-1');
    await harness.advance(3_000);
    await harness.advance(5_000);
    expect(harness.backend.requests).toHaveLength(3);
    await harness.advance(1_000);
    expect(harness.backend.requests).toHaveLength(4);
    harness.backend.respond = () => instancePayload();
    await harness.advance(12_000);
    expect(harness.manager.failure).toBeNull();
  });

  it('fails if the response is not an object', async () => {
    const harness = new ManagerHarness();
    await harness.refreshWith('<html>');
    expect(harness.manager.failure?.code).toBe('invalid-response');
  });

  it('ignores a response with an older state', async () => {
    const harness = new ManagerHarness();
    await harness.refreshWith(instancePayload(2 * HOUR, { seq: 3, as_of_ms: NOW + 1_000 }));
    await harness.refreshWith(instancePayload(HOUR, { seq: 2 }));
    expect(harness.manager.payload?.sequence).toBe(3);
    // The clock of the server was set back.
    await harness.refreshWith(instancePayload(HOUR, { seq: 4 }));
    expect(harness.manager.payload?.sequence).toBe(4);
  });

  it('accepts a restarted server', async () => {
    const harness = new ManagerHarness();
    await harness.refreshWith(instancePayload(2 * HOUR, { seq: 30 }));
    // Its clock may differ too.
    await harness.refreshWith(instancePayload(HOUR, { seq: 1, server_id: 'c', as_of_ms: NOW - 1 }));
    expect(harness.manager.payload?.serverId).toBe('c');
  });
});

describe('events', () => {
  it('cause one request if there are several', async () => {
    const harness = new ManagerHarness();
    await harness.refreshWith();
    harness.sendEvent(2);
    harness.sendEvent(3);
    await harness.advance(30);
    expect(harness.backend.requests).toHaveLength(2);
    await harness.advance(HOUR);
    expect(harness.backend.requests).toHaveLength(2);
  });

  it('with a known number cause no request', async () => {
    const harness = new ManagerHarness();
    await harness.refreshWith();
    harness.sendEvent(1);
    await harness.advance(1_000);
    expect(harness.backend.requests).toHaveLength(1);
  });

  it.each([
    ['a gap', 1, 7, 'b'],
    ['a restarted server', 1, 1, 'c'],
    ['an event without a number', null, null, 'b'],
  ])('%s causes a read', async (_, known, seq, boot) => {
    const harness = new ManagerHarness();
    await harness.refreshWith(instancePayload(HOUR, { seq: known }));
    harness.sendEvent(seq, boot);
    await harness.advance(30);
    expect(harness.backend.requests).toHaveLength(2);
  });

  it('sent on connection cause a read if one was missed', async () => {
    const harness = new ManagerHarness();
    await harness.refreshWith();
    harness.sendEvent(1);
    await harness.advance(1_000);
    expect(harness.backend.requests).toHaveLength(1);
    harness.sendEvent(2);
    await harness.advance(1_000);
    expect(harness.backend.requests).toHaveLength(2);
  });

  it('during a read cause another one', async () => {
    const harness = new ManagerHarness();
    const reading = harness.manager.refresh();
    harness.sendEvent(2);
    await reading;
    await harness.advance(30);
    expect(harness.backend.requests).toHaveLength(2);
  });

  it('about saved documents cause a read', async () => {
    const harness = new ManagerHarness();
    await harness.refreshWith();
    expect(harness.manager.savedBeforeStop).toBeNull();
    harness.backend.respond = () =>
      instancePayload(HOUR, { seq: 2, this_run: { saved: ['a.ipynb'], not_saved: [] } });
    harness.sendEvent(2);
    await harness.advance(30);
    expect(harness.manager.savedBeforeStop?.saved).toEqual(['a.ipynb']);
  });

  it('may have been missed by a hidden page', async () => {
    const harness = new ManagerHarness();
    await harness.refreshWith();
    await harness.advance(2_000);
    harness.isVisible = false;
    harness.wakeUp();
    expect(harness.backend.requests).toHaveLength(1);
    harness.isVisible = true;
    harness.wakeUp();
    harness.wakeUp();
    await flushPromises();
    expect(harness.backend.requests).toHaveLength(2);
    await harness.advance(999);
    harness.wakeUp();
    expect(harness.backend.requests).toHaveLength(2);
    await harness.advance(1);
    harness.wakeUp();
    expect(harness.backend.requests).toHaveLength(3);
  });
});

describe('without the event stream', () => {
  const openWithoutStream = async (leftMs: number): Promise<ManagerHarness> => {
    const harness = new ManagerHarness();
    harness.isStreamOpen = false;
    await harness.refreshWith(instancePayload(leftMs));
    return harness;
  };
  const countReads = async (harness: ManagerHarness, ms: number): Promise<number> => {
    const before = harness.backend.requests.length;
    for (let passedMs = 0; passedMs < ms; passedMs += 1_000) {
      await harness.advance(1_000);
    }
    return harness.backend.requests.length - before;
  };

  it.each([
    ['a visible page', true, HOUR, 20],
    ['a visible page near the stop', true, 10 * MINUTE, 30],
    ['a hidden page near the stop', false, 10 * MINUTE, 30],
    ['a hidden page', false, HOUR, 0],
  ])('%s (%s) reads regularly', async (_, isVisible, leftMs, reads) => {
    const harness = await openWithoutStream(leftMs);
    harness.isVisible = isVisible;
    expect(await countReads(harness, 10 * MINUTE)).toBe(reads);
  });

  it('the page follows a stop time that moves near', async () => {
    const harness = await openWithoutStream(40 * MINUTE);
    harness.backend.respond = () => instancePayload(9 * MINUTE, { seq: 2, as_of_ms: NOW + 1 });
    await countReads(harness, 30_000);
    expect(harness.manager.payload?.snapshot?.state.stops_at_ms).toBe(NOW + 9 * MINUTE);
  });

  it('the state is marked as not live until the stream is open', async () => {
    const harness = await openWithoutStream(HOUR);
    expect(harness.manager.isLive).toBe(true);
    await countReads(harness, 10_000);
    expect(harness.manager.isLive).toBe(false);
    const before = harness.changeCount;
    harness.isStreamOpen = true;
    await countReads(harness, 5_000);
    expect([harness.manager.isLive, harness.changeCount]).toEqual([true, before + 1]);
    harness.isStreamOpen = false;
    expect(await countReads(harness, 14_000)).toBe(0);
    expect(harness.manager.isLive).toBe(false);
    expect(await countReads(harness, 30_000)).toBe(1);
  });

  it('a backend without events is not marked', async () => {
    const helper = new FakeBackend('helper-kernel', false);
    const harness = new ManagerHarness([() => helper]);
    harness.isStreamOpen = false;
    await harness.manager.refresh();
    await harness.advance(20_000);
    expect(harness.manager.isLive).toBe(true);
    expect(helper.requestLines).toEqual(['GET instance']);
  });
});

describe('after the stop time', () => {
  const LEFT_MS = 5 * MINUTE;
  const lose =
    (message = '') =>
    (): unknown => {
      throw new BackendError(message ? 'internal' : 'unreachable', message);
    };
  const countDown = async (lostAfterMs: number, message = ''): Promise<ManagerHarness> => {
    const harness = new ManagerHarness();
    await harness.refreshWith(instancePayload(LEFT_MS));
    for (let passedMs = 0; passedMs < LEFT_MS + 30_000; passedMs += 1_000) {
      if (passedMs === lostAfterMs) {
        harness.backend.respond = lose(message);
        harness.isStreamOpen = false;
      }
      await harness.advance(1_000);
    }
    return harness;
  };

  it.each([LEFT_MS - 2 * MINUTE, LEFT_MS - 10_000, LEFT_MS, LEFT_MS + 5_000])(
    'a server that is lost after %i ms has stopped',
    async (lostAfterMs) => {
      const { manager } = await countDown(lostAfterMs);
      expect(manager.presumedStop).toEqual({ stopsAtMs: NOW + LEFT_MS, isConfirmed: true });
      expect(manager.payload?.snapshot?.state.status).toBe('STOPPED');
      expect(manager.payload?.instance?.status).toBe('STOPPED');
    },
  );

  it('a server that responds has not stopped', async () => {
    expect((await countDown(Infinity)).manager.presumedStop).toBeNull();
    // This server explains its error.
    expect((await countDown(LEFT_MS, 'Internal error.')).manager.presumedStop).toBeNull();
  });

  it('the stop is not confirmed if the server was lost long before', async () => {
    const harness = new ManagerHarness();
    await harness.refreshWith(instancePayload(HOUR));
    harness.backend.respond = lose();
    harness.isStreamOpen = false;
    for (let minute = 0; minute < 61; minute++) {
      await harness.advance(MINUTE);
    }
    expect(harness.manager.presumedStop?.isConfirmed).toBe(false);
    expect(harness.manager.payload?.snapshot?.state.status).toBe('RUNNING');
  });

  it('the stop is not confirmed after a sleep', async () => {
    const harness = new ManagerHarness();
    await harness.refreshWith(instancePayload(LEFT_MS));
    await harness.advance(2_000);
    harness.backend.respond = lose();
    harness.timers.sleep(HOUR);
    harness.wakeUp();
    await flushPromises();
    expect(harness.manager.presumedStop?.isConfirmed).toBe(false);
  });

  it.each([{ enabled: false }, { mode: 'IDLE' }, { stops_at_ms: null }])(
    'nothing has stopped with %o',
    async (state) => {
      const harness = new ManagerHarness();
      await harness.refreshWith(instancePayload(MINUTE, {}, state));
      harness.backend.respond = lose();
      await harness.manager.refresh();
      await harness.advance(5 * MINUTE);
      expect(harness.manager.presumedStop).toBeNull();
    },
  );

  it('the next start is shown', async () => {
    const harness = await countDown(LEFT_MS);
    harness.isStreamOpen = true;
    const now = NOW + 6 * MINUTE;
    harness.backend.respond = () =>
      instancePayload(2 * HOUR, { seq: 2, as_of_ms: now, server_now_ms: now });
    await harness.manager.refresh();
    expect(harness.manager.presumedStop).toBeNull();
    expect(harness.manager.payload?.snapshot?.state.status).toBe('RUNNING');
  });

  it('the last report of this tab is shown, though it could not be sent', async () => {
    const harness = new ManagerHarness();
    await harness.refreshWith(
      instancePayload(MINUTE, { this_run: { saved: ['a'], not_saved: [] } }),
    );
    harness.backend.respond = lose();
    await harness.manager.reportSaved(NOW + MINUTE, { saved: ['a', 'b'], notSaved: [] }, 'tab');
    expect(harness.manager.savedBeforeStop?.saved).toEqual(['a', 'b']);
  });
});

describe('changes', () => {
  it('show the new state without another read', async () => {
    const harness = new ManagerHarness();
    await harness.refreshWith();
    const instance = { enabled: false };
    const later = instancePayload(2 * HOUR, {
      seq: 2,
      as_of_ms: NOW + 1,
      server_now_ms: NOW + 1,
      instance,
    });
    harness.backend.respond = () => changeResponse(later);
    const outcome = await harness.manager.extend(3600, NOW + 72 * MINUTE);
    expect(outcome.result.effect).toBe('now');
    expect(harness.manager.payload?.snapshot?.state.stops_at_ms).toBe(NOW + 2 * HOUR);
    expect(harness.manager.payload?.instance?.autoStop).toMatchObject(instance);
    expect(harness.manager.clock.now()).toBe(NOW + 1);
    expect(harness.backend.requests[1]).toEqual({
      ...{ method: 'POST', path: 'extend' },
      body: { seconds: 3600, base_stops_at_ms: NOW + 72 * MINUTE },
    });
    harness.sendEvent(2);
    await harness.advance(1_000);
    expect(harness.backend.requestLines).toHaveLength(2);
  });

  it('in progress delay reads', async () => {
    const harness = new ManagerHarness();
    await harness.refreshWith();
    let release: (value: unknown) => void = () => undefined;
    harness.backend.respond = () => new Promise((resolve) => (release = resolve));
    const change = harness.manager.edit({ description: 'mine' });
    await flushPromises();
    harness.sendEvent(2);
    await harness.advance(1_000);
    expect(harness.backend.requestLines).toEqual(['GET instance', 'PATCH instance']);
    release(changeResponse());
    await change;
    await harness.advance(30);
    expect(harness.backend.requestLines[2]).toBe('GET instance');
  });

  it('with a late response do not restore an older state', async () => {
    const harness = new ManagerHarness();
    await harness.refreshWith(instancePayload(2 * HOUR, { as_of_ms: NOW + 2 }));
    harness.backend.respond = () => changeResponse(instancePayload(HOUR, { as_of_ms: NOW + 1 }));
    await harness.manager.extend(3600, NOW);
    expect(harness.manager.payload?.snapshot?.state.stops_at_ms).toBe(NOW + 2 * HOUR);
  });

  it.each([
    [false, [undefined]],
    [true, [undefined, true]],
    // The code of the dialog is loaded from the server.
    [new Error('unreachable'), [undefined]],
  ])('that lengthen later runs only need consent (given: %s)', async (isGiven, consents) => {
    const harness = new ManagerHarness();
    await harness.refreshWith();
    harness.givesConsent = isGiven;
    harness.backend.respond = ({ body }) => {
      if (asObject(body).lengthen_later_runs === true) {
        return { ...changeResponse(), effect: 'next-start' };
      }
      throw new BackendError('refuse.lengthens_later_runs', 'Only later runs.', { status: 422 });
    };
    const { result } = await harness.manager.extend(3600, NOW + 72 * MINUTE);
    expect(result.effect).toBe(isGiven === true ? 'next-start' : null);
    expect(harness.questions).toEqual(['Only later runs.']);
    const writes = harness.backend.requests.filter(({ method }) => method === 'POST');
    expect(writes.map(({ body }) => asObject(body).lengthen_later_runs)).toEqual(consents);
  });

  it('that conflict contain the current state', async () => {
    const harness = new ManagerHarness();
    await harness.refreshWith();
    harness.backend.respond = () => {
      const current = instancePayload(HOUR, { seq: 5, instance: { description: 'theirs' } });
      throw new BackendError('refuse.stop_time_changed', 'It changed.', {
        status: 409,
        details: { current },
      });
    };
    const outcome = await harness.manager.edit({ description: 'mine', base: {} });
    expect(outcome).toMatchObject({ isConflict: true, result: { ok: false, text: 'It changed.' } });
    expect(harness.manager.payload?.instance?.description).toBe('theirs');
  });

  it('without a response are followed by a read', async () => {
    const harness = new ManagerHarness();
    await harness.refreshWith();
    const lost = () => {
      throw new BackendError('unreachable');
    };
    harness.backend.respond = lost;
    const { result } = await harness.manager.extend(3600, NOW + 72 * MINUTE);
    expect(result).toMatchObject({ ok: false, code: 'unreachable' });
    await harness.advance(30);
    expect(harness.manager.failure?.code).toBe('unreachable');
    harness.backend.respond = () => instancePayload(132 * MINUTE, { seq: 2 });
    await harness.advance(3_000);
    expect(harness.manager.payload?.snapshot?.state.stops_at_ms).toBe(NOW + 132 * MINUTE);
  });

  it('have the message and hint of the server when they are refused', async () => {
    const harness = new ManagerHarness();
    harness.backend.respond = () => {
      throw new BackendError('refuse.auto_stop_off', 'It is off.', {
        status: 422,
        hint: 'Turn it on.',
      });
    };
    const { result } = await harness.manager.extend(3600, NOW);
    expect(result).toEqual({
      ...{ ok: false, effect: null, code: 'refuse.auto_stop_off', values: {} },
      text: 'It is off. Turn it on.',
    });
  });

  it('of reminders and notices have their own paths', async () => {
    const harness = new ManagerHarness();
    harness.backend.respond = () =>
      changeResponse(instancePayload(HOUR, { reminders: { muted: true } }));
    await harness.manager.muteReminders(true);
    expect(harness.manager.payload?.remindersMuted).toBe(true);
    await harness.manager.dismissLastRun();
    expect(harness.backend.requestLines).toEqual(['POST remind', 'DELETE saved', 'GET instance']);
  });

  it('keep the report of this tab', async () => {
    const harness = new ManagerHarness();
    await harness.refreshWith();
    harness.backend.respond = () => {
      throw new BackendError('unreachable');
    };
    const notSaved = [{ path: 'b', reason: 'failed' }];
    const before = harness.changeCount;
    const reporting = harness.manager.reportSaved(NOW, { saved: ['a'], notSaved }, 'tab');
    expect(harness.changeCount).toBe(before + 1);
    await reporting;
    expect(harness.manager.savedBeforeStop?.notSaved).toHaveLength(1);
    expect(harness.backend.requests[1]?.body).toEqual({
      ...{ stops_at_ms: NOW, saved: ['a'] },
      ...{ not_saved: notSaved, tab: 'tab' },
    });
    await harness.refreshWith(
      instancePayload(72 * MINUTE, { this_run: { saved: ['a', 'theirs'] } }),
    );
    expect(harness.manager.savedBeforeStop?.saved).toEqual(['a', 'theirs']);
    await harness.refreshWith(instancePayload(72 * MINUTE));
    expect(harness.manager.savedBeforeStop?.saved).toEqual(['a']);
    // This is another stop time.
    await harness.refreshWith(instancePayload(2 * HOUR, { seq: 2 }));
    expect(harness.manager.savedBeforeStop).toBeNull();
  });
});

describe('backends', () => {
  const absent = (): unknown => {
    throw new BackendError('no-backend', '', { status: 404 });
  };

  it('are tried in order', async () => {
    const [routes, helper] = [new FakeBackend(), new FakeBackend('helper-kernel', false)];
    routes.respond = absent;
    const harness = new ManagerHarness([() => routes, () => helper]);
    await harness.manager.refresh();
    expect(harness.manager.backend).toBe('helper-kernel');
    expect(routes.isDisposed).toBe(true);
    await harness.manager.extend(60, NOW);
    expect(routes.requests).toHaveLength(1);
  });

  it('with events of their own are not polled, although the event socket is closed', async () => {
    const helper = new FakeBackend('helper-kernel');
    const harness = new ManagerHarness([
      () => new LazyBackend('helper-kernel', () => Promise.resolve(helper)),
    ]);
    harness.isStreamOpen = false;
    await harness.manager.refresh();
    await harness.advance(10 * MINUTE);
    expect(helper.requests).toHaveLength(1);
    expect(harness.manager.isLive).toBe(true);
  });

  it('without events are polled while the page is visible', async () => {
    const helper = new FakeBackend('helper-kernel', false);
    const harness = new ManagerHarness([() => helper]);
    await harness.manager.refresh();
    await harness.advance(30_000);
    expect(helper.requests).toHaveLength(2);
    harness.isVisible = false;
    await harness.advance(120_000);
    expect(helper.requests).toHaveLength(2);
    harness.isVisible = true;
    harness.wakeUp();
    await flushPromises();
    await harness.advance(30_000);
    expect(helper.requests).toHaveLength(4);
  });

  it('are tried again only on a wake-up event', async () => {
    const [routes, helper] = [new FakeBackend(), new FakeBackend('helper-kernel', false)];
    routes.respond = absent;
    helper.respond = absent;
    const harness = new ManagerHarness([() => routes, () => helper]);
    await harness.manager.refresh();
    expect(harness.manager.failure?.code).toBe('no-backend');
    expect(harness.manager.backend).toBeNull();
    routes.respond = () => instancePayload();
    await harness.advance(HOUR);
    expect(harness.manager.backend).toBeNull();
    harness.wakeUp();
    await flushPromises();
    expect(harness.manager.backend).toBe('server-extension');
  });
});

it('runs the doctor', async () => {
  const harness = new ManagerHarness();
  const finding = { label: 'API', level: 'ok', message: 'fine', hint: '' };
  harness.backend.respond = () => ({ problems: 0, findings: [finding] });
  expect(await harness.manager.runDoctor()).toEqual([
    { label: 'API', level: 'ok', message: 'fine', hint: '' },
  ]);
});

it('does not retry after it was disposed', async () => {
  const harness = new ManagerHarness();
  harness.backend.respond = () => {
    throw new BackendError('unreachable');
  };
  await harness.refreshWith();
  const reading = harness.manager.refresh();
  harness.manager.dispose();
  await reading;
  expect(harness.timers.pendingCount).toBe(0);
});

it('can be disposed twice', async () => {
  const harness = new ManagerHarness();
  let release: (value: unknown) => void = () => undefined;
  harness.backend.respond = () => new Promise((resolve) => (release = resolve));
  const reading = harness.manager.refresh();
  await flushPromises();
  harness.manager.dispose();
  harness.manager.dispose();
  release(instancePayload());
  await reading;
  harness.wakeUp();
  harness.sendEvent(9);
  await harness.advance(HOUR);
  expect(harness.manager.payload).toBeNull();
  expect(harness.manager.isDisposed).toBe(true);
  expect(harness.backend.requests).toHaveLength(1);
  expect([harness.changeCount, harness.listenerCount, harness.timers.pendingCount]).toEqual([
    0, 0, 0,
  ]);
});
