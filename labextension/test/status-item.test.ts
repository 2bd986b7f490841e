import { CommandRegistry } from '@lumino/commands';
import { describe, expect, it } from 'vitest';
import { addCommands } from '../src/commands/commands';
import { StatusItem } from '../src/status-item';
import { BackendError, COMMANDS } from '../src/tokens';
import { HOUR, MINUTE, NOW } from './countdown/fakes';
import { Bench, done, trans, wire } from './fakes';

function makeItem() {
  const bench = new Bench();
  const { manager, timers } = bench;
  const clicks: string[] = [];
  const item = new StatusItem({
    ...{ manager, trans, timers, wakeups: [] },
    onClick: () => clicks.push('click'),
  });
  const button = item.node.querySelector('button');
  return { bench, item, clicks, button, text: () => button?.textContent };
}

describe('the status item', () => {
  it('goes from calm to stopped', async () => {
    const { bench, item, text } = makeItem();
    await bench.read(wire(72 * MINUTE));
    expect([text(), item.node.dataset.phase]).toEqual(['1 h 12 min', 'calm']);
    await bench.pass(42 * MINUTE);
    expect([text(), item.node.dataset.phase]).toEqual(['30 min · stops soon', 'soon']);
    await bench.pass(20 * MINUTE + 1_000);
    expect(text()).toBe('9 min 59 s · stops very soon');
    await bench.pass(10 * MINUTE);
    expect(text()).toBe('Stopping');
    await bench.pass(2 * MINUTE);
    expect(text()).toBe('Stop time unknown');
    expect(bench.timers.pending).toBe(0);
  });

  it('looks once a minute, and once a second only near the end', async () => {
    const { bench } = makeItem();
    await bench.read(wire(HOUR));
    let looks = 0;
    const set = bench.timers.setTimeout.bind(bench.timers);
    bench.timers.setTimeout = (callback, ms) => {
      looks++;
      return set(callback, ms);
    };
    await bench.pass(10 * MINUTE);
    expect(looks).toBeLessThanOrEqual(11);
  });

  it('shows what it is set to show', async () => {
    const { bench, text } = makeItem();
    await bench.read(wire(72 * MINUTE));
    const { manager } = bench;
    manager.preferences = { ...manager.preferences, statusShows: 'stop-time' };
    expect(text()).toBe('Stops at 18:04');
    manager.preferences = { ...manager.preferences, statusShows: 'both' };
    expect(text()).toBe('1 h 12 min · Stops at 18:04');
  });

  it('looks no more often where the instance takes its time to stop', async () => {
    const { bench, text } = makeItem();
    await bench.read(wire(-HOUR, {}, { status: 'STOPPING' }));
    expect(text()).toBe('Stopping');
    let looks = 0;
    const set = bench.timers.setTimeout.bind(bench.timers);
    bench.timers.setTimeout = (callback, ms) => {
      looks++;
      return set(callback, Math.max(ms, 1));
    };
    await bench.pass(10_000);
    expect(looks).toBeLessThanOrEqual(11);
  });

  it('is a button with a name that opens the panel', async () => {
    const { bench, button, clicks } = makeItem();
    await bench.read(wire(72 * MINUTE + 30_000));
    expect(button?.getAttribute('aria-label')).toBe('ModelArts: Stops at 18:04, in 1 h 12 min.');
    expect(button?.title).toBe('ModelArts train-a · Stops at 2026-11-23 18:04 +08:00');
    button?.click();
    expect(clicks).toEqual(['click']);
    await bench.read(wire(9 * MINUTE + 30_000)); // the seconds are for the eye
    expect(button?.getAttribute('aria-label')).toBe('ModelArts: Stops at 17:01, in 9 min.');
  });

  it('says that it waits for an answer, and that there is none', async () => {
    const { bench, button, text } = makeItem();
    expect(text()).toBe('…');
    bench.backend.answer = () => {
      throw new BackendError('unreachable');
    };
    await bench.read();
    expect(text()).toBe('No answer');
    expect(button?.title).toMatch(/^The Jupyter server does not answer/);
  });

  it.each([
    [{ enabled: false }, 'Auto-stop is off'],
    [{ mode: 'IDLE' }, 'Stops when idle'],
    [{ stops_at_ms: null }, 'Stop time unknown'],
  ])('never counts what is not known: %o', async (state, words) => {
    const { bench, text } = makeItem();
    await bench.read(wire(HOUR, {}, state));
    expect(text()).toBe(words);
  });

  it('leads to the set-up where there is none, and hides where nobody serves it', async () => {
    const { bench, item, text } = makeItem();
    const problem = { code: 'x', message: 'No credentials.', hint: '' };
    await bench.read(wire(0, { state: null, instance: null, problem, read_only: true }));
    expect(text()).toBe('Set up ModelArts');
    await bench.read(wire(0, { state: null, instance: null, problem }));
    expect(text()).toBe('No answer');
    const alone = makeItem();
    alone.bench.backend.answer = () => {
      throw new BackendError('absent');
    };
    await alone.bench.read();
    expect(alone.item.isHidden).toBe(true);
    expect(item.isHidden).toBe(false);
  });

  it('says since when nobody has checked', async () => {
    const { bench, button, item, text } = makeItem();
    await bench.read(wire());
    expect(text()).toBe('1 h 12 min');
    await bench.read(wire(72 * MINUTE, { read_only: true, seq: 2 }));
    expect(text()).toBe('1 h 12 min · as of 16:52');
    await bench.read(wire(72 * MINUTE, { seq: 3 }));
    expect(text()).toBe('1 h 12 min');
    bench.backend.answer = () => {
      throw new BackendError('unreachable');
    };
    await bench.read();
    expect(text()).toBe('1 h 12 min · as of 16:52');
    expect(button?.getAttribute('aria-label')).toMatch(/in 1 h 12 min\. · as of 16:52$/);
    bench.backend.answer = () => {
      throw new BackendError('absent');
    };
    await bench.read();
    expect(item.isHidden).toBe(false);
  });

  it('stops for good, twice if need be', async () => {
    const { bench, item } = makeItem();
    await bench.read();
    item.dispose();
    item.dispose();
    expect(bench.timers.pending).toBe(0);
  });
});

function makeCommands() {
  const bench = new Bench();
  const said: [string, boolean][] = [];
  const revealed: unknown[] = [];
  const commands = new CommandRegistry();
  const added = addCommands({
    ...{ commands, manager: bench.manager, trans },
    reveal: (field) => revealed.push(field),
    say: (text, good) => said.push([text, good]),
  });
  const bodies = () => bench.backend.asked.flatMap(({ body }) => body ?? []);
  return { bench, commands, said, revealed, added, bodies };
}

describe('the commands', () => {
  it('extend by the default or by what is asked for', async () => {
    const { bench, commands, said, bodies } = makeCommands();
    await bench.read();
    bench.backend.answer = () => done(wire(132 * MINUTE, { as_of_ms: NOW + 1 }));
    await commands.execute(COMMANDS.extend);
    expect(said).toEqual([['Now stops at 19:04.', true]]);
    await commands.execute(COMMANDS.extend, { duration: '-30m' });
    expect(bodies()).toMatchObject([{ seconds: 3600 }, { seconds: -1800 }]);
    expect(commands.label(COMMANDS.extend)).toBe('Extend by 1 h');
    expect(commands.label(COMMANDS.extend, { duration: '-30m' })).toBe('Shorten by 30 min');
  });

  it('say first that a run was not extended', async () => {
    const { bench, commands, said } = makeCommands();
    await bench.read();
    const values = { duration_s: 10_800, previous_duration_s: 7200 };
    bench.backend.answer = () => ({ ok: true, effect: 'next-start', values });
    await commands.execute(COMMANDS.extend);
    expect(said[0]?.[0]).toMatch(/^This run was NOT extended: it still stops at 18:04/);
    expect(said[0]?.[1]).toBe(false);
  });

  it('do not extend what does not stop', async () => {
    const { bench, commands, said } = makeCommands();
    await bench.read(wire(HOUR, {}, { enabled: false }));
    await commands.execute(COMMANDS.extend);
    expect(said).toEqual([['Auto-stop is off; there is nothing to extend.', false]]);
    await bench.read(wire(HOUR, { seq: 2 }, { stops_at_ms: null, unknown_reason: 'idle' }));
    await commands.execute(COMMANDS.extend);
    expect(said[1]?.[0]).toBe('There is no fixed stop time.');
  });

  it('say what a shortened run comes to', async () => {
    const { bench, commands, said } = makeCommands();
    await bench.read();
    bench.backend.answer = () => ({ ok: true, effect: 'next-start' });
    await commands.execute(COMMANDS.extend, { duration: '-30m' });
    expect(said[0]?.[0]).toMatch(/NOT shortened/i);
  });

  it('do not take what is no duration', async () => {
    const { bench, commands } = makeCommands();
    await bench.read();
    await expect(commands.execute(COMMANDS.extend, { duration: 'soon' })).rejects.toThrow('“soon”');
  });

  it('lead to the fields of the panel, or set what they are given', async () => {
    const { bench, commands, revealed, bodies } = makeCommands();
    await bench.read();
    bench.backend.answer = () => done();
    await commands.execute(COMMANDS.setAutoStop);
    await commands.execute(COMMANDS.editDescription);
    await commands.execute(COMMANDS.showPanel);
    expect(revealed).toEqual(['auto-stop', 'description', null]);
    await commands.execute(COMMANDS.setAutoStop, { duration: '2h', enabled: true });
    await commands.execute(COMMANDS.editDescription, { description: 'x' });
    expect(bodies()).toEqual([
      { auto_stop: { duration_s: 7200, enabled: true } },
      { description: 'x' },
    ]);
  });

  it('have the cloud asked again', async () => {
    const { bench, commands } = makeCommands();
    await commands.execute(COMMANDS.refresh);
    expect(bench.backend.lines).toEqual(['GET instance?refresh=1']);
  });

  it('say what they take, wait for an instance, and can be removed', async () => {
    const { bench, commands, added } = makeCommands();
    expect(commands.isEnabled(COMMANDS.extend)).toBe(false);
    await bench.read();
    expect(commands.isEnabled(COMMANDS.extend)).toBe(true);
    expect((await commands.describedBy(COMMANDS.extend)).args).toMatchObject({
      properties: { duration: { type: 'string' } },
    });
    added.dispose();
    expect(commands.listCommands()).toEqual([]);
  });
});
