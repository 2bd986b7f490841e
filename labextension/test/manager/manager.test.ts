import { describe, expect, it } from 'vitest';
import { BackendError } from '../../src/tokens';
import { HOUR, MINUTE, NOW } from '../countdown/fakes';
import { Bench, FakeBackend, done, settle, wire } from '../fakes';

describe('reading', () => {
  it('knows what the backend says, and the time by its clock', async () => {
    const bench = new Bench();
    await bench.read(wire(72 * MINUTE, { server_now_ms: NOW + 5_000 }));
    expect(bench.manager.payload?.instance?.name).toBe('train-a');
    expect(bench.manager.clock.now()).toBe(NOW + 5_000);
    expect(bench.manager.backend).toBe('routes');
    expect(bench.changes).toBe(1);
  });

  it('does not poll where news are told', async () => {
    const bench = new Bench();
    await bench.read();
    await bench.pass(HOUR);
    expect(bench.backend.asked).toHaveLength(1);
    expect(bench.timers.pending).toBe(0);
  });

  it('makes one request of readings at the same time', async () => {
    const bench = new Bench();
    await Promise.all([bench.manager.refresh(), bench.manager.refresh()]);
    expect(bench.backend.lines).toEqual(['GET instance']);
  });

  it('has the cloud asked when a person wants it, also after a reading that does not', async () => {
    const bench = new Bench();
    await bench.manager.refresh(true);
    expect(bench.backend.lines).toEqual(['GET instance?refresh=1']);
    await Promise.all([bench.manager.refresh(), bench.manager.refresh(true)]);
    expect(bench.backend.lines.slice(1)).toEqual(['GET instance', 'GET instance?refresh=1']);
  });

  it('goes on where somebody else set it off, and begins with short pauses again', async () => {
    const bench = new Bench();
    const lost = () => {
      throw new BackendError('unreachable');
    };
    bench.backend.answer = lost;
    await bench.read();
    expect(bench.manager.backend).toBeNull();
    await bench.pass(3_000);
    bench.backend.answer = () => wire();
    await bench.manager.refresh();
    expect(bench.timers.pending).toBe(0);
    bench.backend.answer = lost;
    await bench.read();
    await bench.pass(3_000);
    expect(bench.backend.asked).toHaveLength(5);
  });

  it('is tried every five minutes at the least', async () => {
    const bench = new Bench();
    bench.backend.answer = () => {
      throw new BackendError('unreachable');
    };
    await bench.read();
    for (let minute = 0; minute < 60; minute++) {
      await bench.pass(MINUTE);
    }
    const before = bench.backend.asked.length;
    for (let minute = 0; minute < 60; minute++) {
      await bench.pass(MINUTE);
    }
    expect(bench.backend.asked.length - before).toBe(12);
  });

  it('keeps what it knew when a reading fails, and tries again ever later', async () => {
    const bench = new Bench();
    await bench.read();
    bench.backend.answer = () => {
      throw new BackendError('unreachable');
    };
    await bench.read();
    expect(bench.manager.failure?.code).toBe('unreachable');
    expect(bench.manager.payload?.instance?.id).toBe('i-1');
    await bench.pass(3_000);
    await bench.pass(5_000);
    expect(bench.backend.asked).toHaveLength(3);
    await bench.pass(1_000);
    expect(bench.backend.asked).toHaveLength(4);
    bench.backend.answer = () => wire();
    await bench.pass(12_000);
    expect(bench.manager.failure).toBeNull();
    expect(bench.timers.pending).toBe(0);
  });

  it('takes an answer that is no object for a failure', async () => {
    const bench = new Bench();
    await bench.read('<html>');
    expect(bench.manager.failure?.code).toBe('bad-answer');
  });

  it('drops a reading that is older than what it knows', async () => {
    const bench = new Bench();
    await bench.read(wire(2 * HOUR, { seq: 3, as_of_ms: NOW + 1_000 }));
    await bench.read(wire(HOUR, { seq: 2 }));
    expect(bench.manager.payload?.seq).toBe(3);
    await bench.read(wire(HOUR, { seq: 4 })); // its clock was set back
    expect(bench.manager.payload?.seq).toBe(4);
  });

  it('believes a server that counts anew', async () => {
    const bench = new Bench();
    await bench.read(wire(2 * HOUR, { seq: 30 }));
    await bench.read(wire(HOUR, { seq: 1, boot: 'c', as_of_ms: NOW - 1 })); // nor by the same clock
    expect(bench.manager.payload?.boot).toBe('c');
  });
});

describe('news', () => {
  it('are read, many at once by one request', async () => {
    const bench = new Bench();
    await bench.read();
    bench.news(2);
    bench.news(3);
    await bench.pass(30);
    expect(bench.backend.asked).toHaveLength(2);
    await bench.pass(HOUR);
    expect(bench.backend.asked).toHaveLength(2);
  });

  it('that are known already are not read again', async () => {
    const bench = new Bench();
    await bench.read();
    bench.news(1);
    await bench.pass(1_000);
    expect(bench.backend.asked).toHaveLength(1);
  });

  it.each([
    ['a gap', 1, 7, 'b'],
    ['a server started anew', 1, 1, 'c'],
    ['an event without a number', null, null, 'b'],
  ])('%s is a reason to read', async (_, known, seq, boot) => {
    const bench = new Bench();
    await bench.read(wire(HOUR, { seq: known }));
    bench.news(seq, boot);
    await bench.pass(30);
    expect(bench.backend.asked).toHaveLength(2);
  });

  it('repeated as a greeting are read by who missed them, and by nobody else', async () => {
    const bench = new Bench();
    await bench.read();
    bench.news(1);
    await bench.pass(1_000);
    expect(bench.backend.asked).toHaveLength(1);
    bench.news(2);
    await bench.pass(1_000);
    expect(bench.backend.asked).toHaveLength(2);
  });

  it('that come during a reading are read after it', async () => {
    const bench = new Bench();
    const reading = bench.manager.refresh();
    bench.news(2);
    await reading;
    await bench.pass(30);
    expect(bench.backend.asked).toHaveLength(2);
  });

  it('of what was saved are read with the rest', async () => {
    const bench = new Bench();
    await bench.read();
    expect(bench.manager.saved).toBeNull();
    bench.backend.answer = () =>
      wire(HOUR, { seq: 2, this_run: { saved: ['a.ipynb'], not_saved: [] } });
    bench.news(2);
    await bench.pass(30);
    expect(bench.manager.saved?.saved).toEqual(['a.ipynb']);
  });

  it('may have been missed by a page that was hidden', async () => {
    const bench = new Bench();
    await bench.read();
    await bench.pass(2_000);
    bench.visible = false;
    bench.wake();
    expect(bench.backend.asked).toHaveLength(1);
    bench.visible = true;
    bench.wake();
    bench.wake();
    await settle();
    expect(bench.backend.asked).toHaveLength(2);
    await bench.pass(999);
    bench.wake();
    expect(bench.backend.asked).toHaveLength(2);
    await bench.pass(1);
    bench.wake();
    expect(bench.backend.asked).toHaveLength(3);
  });
});

describe('changes', () => {
  it('show at once what holds now, without another reading', async () => {
    const bench = new Bench();
    await bench.read();
    const auto_stop = { enabled: false };
    const instance = { id: 'i-1', auto_stop };
    const later = wire(2 * HOUR, { seq: 2, as_of_ms: NOW + 1, server_now_ms: NOW + 1, instance });
    bench.backend.answer = () => done(later);
    const outcome = await bench.manager.extend(3600, NOW + 72 * MINUTE);
    expect(outcome.answer.effect).toBe('now');
    expect(bench.manager.payload?.snapshot?.state.stops_at_ms).toBe(NOW + 2 * HOUR);
    expect(bench.manager.payload?.instance?.autoStop).toEqual(auto_stop);
    expect(bench.manager.clock.now()).toBe(NOW + 1);
    expect(bench.backend.asked[1]).toEqual({
      ...{ method: 'POST', path: 'extend' },
      body: { seconds: 3600, base_stops_at_ms: NOW + 72 * MINUTE },
    });
    bench.news(2);
    await bench.pass(1_000);
    expect(bench.backend.lines).toHaveLength(2);
  });

  it('under way are not read beside', async () => {
    const bench = new Bench();
    await bench.read();
    let release: (value: unknown) => void = () => undefined;
    bench.backend.answer = () => new Promise((resolve) => (release = resolve));
    const change = bench.manager.change({ description: 'mine' });
    await settle();
    bench.news(2);
    await bench.pass(1_000);
    expect(bench.backend.lines).toEqual(['GET instance', 'PATCH instance']);
    release(done());
    await change;
    await bench.pass(30);
    expect(bench.backend.lines[2]).toBe('GET instance');
  });

  it('whose answer was overtaken do not bring back what held before', async () => {
    const bench = new Bench();
    await bench.read(wire(2 * HOUR, { as_of_ms: NOW + 2 }));
    bench.backend.answer = () => done(wire(HOUR, { as_of_ms: NOW + 1 }));
    await bench.manager.extend(3600, NOW);
    expect(bench.manager.payload?.snapshot?.state.stops_at_ms).toBe(NOW + 2 * HOUR);
  });

  it('that came too late bring what holds now', async () => {
    const bench = new Bench();
    await bench.read();
    bench.backend.answer = () => {
      const now = wire(HOUR, { seq: 5, instance: { id: 'i-1', description: 'theirs' } });
      throw new BackendError('refuse.changed', 'It changed.', { status: 409, details: { now } });
    };
    const outcome = await bench.manager.change({ description: 'mine', base: {} });
    expect(outcome).toMatchObject({ stale: true, answer: { ok: false, code: 'changed' } });
    expect(bench.manager.payload?.instance?.description).toBe('theirs');
  });

  it('without an answer may have been made: what holds is read, as soon as that can be', async () => {
    const bench = new Bench();
    await bench.read();
    const lost = () => {
      throw new BackendError('unreachable');
    };
    bench.backend.answer = lost;
    const { answer } = await bench.manager.extend(3600, NOW + 72 * MINUTE);
    expect(answer).toMatchObject({ ok: false, code: 'unreachable' });
    await bench.pass(30);
    expect(bench.manager.failure?.code).toBe('unreachable');
    bench.backend.answer = () => wire(132 * MINUTE, { seq: 2 });
    await bench.pass(3_000);
    expect(bench.manager.payload?.snapshot?.state.stops_at_ms).toBe(NOW + 132 * MINUTE);
  });

  it('that are refused say why in the words of a countdown', async () => {
    const bench = new Bench();
    bench.backend.answer = () => {
      const answer = { code: 'at-latest', values: { duration_s: 1 }, text: 'It is too late.' };
      throw new BackendError('refuse.off', 'It is off.', { status: 422, details: { answer } });
    };
    const { answer } = await bench.manager.extend(3600, NOW);
    expect(answer).toEqual({
      ...{ ok: false, effect: null, code: 'at-latest' },
      ...{ values: { duration_s: 1 }, text: 'It is too late.' },
    });
  });

  it('mute and acknowledge by their own routes', async () => {
    const bench = new Bench();
    bench.backend.answer = () => done(wire(HOUR, { reminders: { muted: true } }));
    await bench.manager.mute(true);
    expect(bench.manager.payload?.muted).toBe(true);
    await bench.manager.acknowledge();
    expect(bench.backend.lines).toEqual(['POST remind', 'DELETE saved', 'GET instance']);
  });

  it('keep what this tab saved where nobody else keeps it', async () => {
    const bench = new Bench();
    await bench.read();
    bench.backend.answer = () => {
      throw new BackendError('unreachable');
    };
    const notSaved = [{ path: 'b', why: 'failed' }];
    const before = bench.changes;
    const reporting = bench.manager.report(NOW, { saved: ['a'], notSaved }, 'tab');
    expect(bench.changes).toBe(before + 1);
    await reporting;
    expect(bench.manager.saved?.notSaved).toHaveLength(1);
    expect(bench.backend.asked[1]?.body).toEqual({
      ...{ stops_at_ms: NOW, saved: ['a'] },
      ...{ not_saved: notSaved, tab: 'tab' },
    });
    await bench.read(wire(72 * MINUTE, { this_run: { saved: ['a', 'theirs'] } }));
    expect(bench.manager.saved?.saved).toEqual(['a', 'theirs']);
    await bench.read(wire(72 * MINUTE));
    expect(bench.manager.saved?.saved).toEqual(['a']);
    await bench.read(wire(2 * HOUR, { seq: 2 })); // another stop
    expect(bench.manager.saved).toBeNull();
  });
});

describe('backends', () => {
  const absent = (): unknown => {
    throw new BackendError('absent', '', { status: 404 });
  };

  it('are tried in their order, and the one that is there is kept', async () => {
    const [routes, helper] = [new FakeBackend(), new FakeBackend('helper', false)];
    routes.answer = absent;
    const bench = new Bench([() => routes, () => helper]);
    await bench.manager.refresh();
    expect(bench.manager.backend).toBe('helper');
    expect(routes.isDisposed).toBe(true);
    await bench.manager.extend(60, NOW);
    expect(routes.asked).toHaveLength(1);
  });

  it('that do not tell of news are looked at while somebody sees the page', async () => {
    const helper = new FakeBackend('helper', false);
    const bench = new Bench([() => helper]);
    await bench.manager.refresh();
    await bench.pass(30_000);
    expect(helper.asked).toHaveLength(2);
    bench.visible = false;
    await bench.pass(120_000);
    expect(helper.asked).toHaveLength(2);
    bench.visible = true;
    bench.wake();
    await settle();
    await bench.pass(30_000);
    expect(helper.asked).toHaveLength(4);
  });

  it('of which none is there are not tried again by themselves, but when somebody looks', async () => {
    const [routes, helper] = [new FakeBackend(), new FakeBackend('helper', false)];
    routes.answer = absent;
    helper.answer = absent;
    const bench = new Bench([() => routes, () => helper]);
    await bench.manager.refresh();
    expect(bench.manager.failure?.code).toBe('absent');
    expect(bench.manager.backend).toBeNull();
    routes.answer = () => wire();
    await bench.pass(HOUR);
    expect(bench.manager.backend).toBeNull();
    bench.wake();
    await settle();
    expect(bench.manager.backend).toBe('routes');
  });
});

it('asks the doctor', async () => {
  const bench = new Bench();
  const finding = { about: 'cloud', level: 'ok', words: 'fine', hint: '' };
  bench.backend.answer = () => ({ problems: 0, findings: [finding] });
  expect(await bench.manager.examine()).toEqual([finding]);
});

it('does not try again once it is disposed of', async () => {
  const bench = new Bench();
  bench.backend.answer = () => {
    throw new BackendError('unreachable');
  };
  await bench.read();
  const reading = bench.manager.refresh();
  bench.manager.dispose();
  await reading;
  expect(bench.timers.pending).toBe(0);
});

it('stops for good, twice if need be', async () => {
  const bench = new Bench();
  let release: (value: unknown) => void = () => undefined;
  bench.backend.answer = () => new Promise((resolve) => (release = resolve));
  const reading = bench.manager.refresh();
  await settle();
  bench.manager.dispose();
  bench.manager.dispose();
  release(wire());
  await reading;
  bench.wake();
  bench.news(9);
  await bench.pass(HOUR);
  expect(bench.manager.payload).toBeNull();
  expect(bench.manager.isDisposed).toBe(true);
  expect(bench.backend.asked).toHaveLength(1);
  expect([bench.changes, bench.listening, bench.timers.pending]).toEqual([0, 0, 0]);
});
