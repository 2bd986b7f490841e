import { CommandRegistry } from '@lumino/commands';
import { describe, expect, it } from 'vitest';
import { addCommands } from '../src/commands/commands';
import { StatusItem } from '../src/status-item';
import { BackendError, COMMAND_IDS } from '../src/tokens';
import { HOUR, MINUTE, NOW } from './countdown/fakes';
import { ManagerHarness, changeResponse, trans, instancePayload } from './fakes';

function createStatusItem() {
  const harness = new ManagerHarness();
  const { manager, timers } = harness;
  const clicks: string[] = [];
  const item = new StatusItem({
    ...{ manager, trans, timers, wakeups: [] },
    onClick: () => clicks.push('click'),
  });
  const button = item.node.querySelector('button');
  return { harness, item, clicks, button, text: () => button?.textContent };
}

describe('the status item', () => {
  it('goes from calm to stopped', async () => {
    const { harness, item, text } = createStatusItem();
    await harness.refreshWith(instancePayload(72 * MINUTE));
    expect([text(), item.node.dataset.phase]).toEqual(['1 h 12 min', 'calm']);
    await harness.advance(42 * MINUTE);
    expect([text(), item.node.dataset.phase]).toEqual(['30 min · stops soon', 'soon']);
    await harness.advance(20 * MINUTE + 1_000);
    expect(text()).toBe('9 min 59 s · about to stop');
    await harness.advance(10 * MINUTE);
    expect(text()).toBe('Stopping');
    await harness.advance(2 * MINUTE);
    expect(text()).toBe('Stop time unknown');
    expect(harness.timers.pendingCount).toBe(0);
  });

  it('looks once a minute, and once a second only near the end', async () => {
    const { harness } = createStatusItem();
    await harness.refreshWith(instancePayload(HOUR));
    let looks = 0;
    const set = harness.timers.setTimeout.bind(harness.timers);
    harness.timers.setTimeout = (callback, ms) => {
      looks++;
      return set(callback, ms);
    };
    await harness.advance(10 * MINUTE);
    expect(looks).toBeLessThanOrEqual(11);
  });

  it('shows what it is set to show', async () => {
    const { harness, text } = createStatusItem();
    await harness.refreshWith(instancePayload(72 * MINUTE));
    const { manager } = harness;
    manager.preferences = { ...manager.preferences, statusShows: 'stop-time' };
    expect(text()).toBe('Stops at 18:04');
    manager.preferences = { ...manager.preferences, statusShows: 'both' };
    expect(text()).toBe('1 h 12 min · Stops at 18:04');
  });

  it('looks no more often where the instance takes its time to stop', async () => {
    const { harness, text } = createStatusItem();
    await harness.refreshWith(instancePayload(-HOUR, {}, { status: 'STOPPING' }));
    expect(text()).toBe('Stopping');
    let looks = 0;
    const set = harness.timers.setTimeout.bind(harness.timers);
    harness.timers.setTimeout = (callback, ms) => {
      looks++;
      return set(callback, Math.max(ms, 1));
    };
    await harness.advance(10_000);
    expect(looks).toBeLessThanOrEqual(11);
  });

  it('is a button with a name that opens the panel', async () => {
    const { harness, button, clicks } = createStatusItem();
    await harness.refreshWith(instancePayload(72 * MINUTE + 30_000));
    expect(button?.getAttribute('aria-label')).toBe('ModelArts: Stops at 18:04, 1 h 12 min left.');
    expect(button?.title).toBe('ModelArts train-a · Stops at 2026-11-23 18:04 +08:00');
    button?.click();
    expect(clicks).toEqual(['click']);
    await harness.refreshWith(instancePayload(9 * MINUTE + 30_000)); // the seconds are for the eye
    expect(button?.getAttribute('aria-label')).toBe('ModelArts: Stops at 17:01, 9 min left.');
  });

  it('says that it waits for an answer, and that there is none', async () => {
    const { harness, button, text } = createStatusItem();
    expect(text()).toBe('…');
    harness.backend.respond = () => {
      throw new BackendError('unreachable');
    };
    await harness.refreshWith();
    expect(text()).toBe('No response');
    expect(button?.title).toMatch(/^The Jupyter server is not responding/);
  });

  it.each([
    [{ enabled: false }, 'Auto-stop is off'],
    [{ mode: 'IDLE' }, 'Stops when idle'],
    [{ stops_at_ms: null }, 'Stop time unknown'],
  ])('never counts what is not known: %o', async (state, words) => {
    const { harness, text } = createStatusItem();
    await harness.refreshWith(instancePayload(HOUR, {}, state));
    expect(text()).toBe(words);
  });

  it('leads to the set-up where there is none, and hides where nobody serves it', async () => {
    const { harness, item, text } = createStatusItem();
    const problem = { code: 'x', message: 'No credentials.', hint: '' };
    await harness.refreshWith(
      instancePayload(0, { state: null, instance: null, problem, read_only: true }),
    );
    expect(text()).toBe('Set Up ModelArts');
    await harness.refreshWith(instancePayload(0, { state: null, instance: null, problem }));
    expect(text()).toBe('No response');
    const alone = createStatusItem();
    alone.harness.backend.respond = () => {
      throw new BackendError('no-backend');
    };
    await alone.harness.refreshWith();
    expect(alone.item.isHidden).toBe(true);
    expect(item.isHidden).toBe(false);
  });

  it('says since when nobody has checked', async () => {
    const { harness, button, item, text } = createStatusItem();
    await harness.refreshWith(instancePayload());
    expect(text()).toBe('1 h 12 min');
    await harness.refreshWith(instancePayload(72 * MINUTE, { read_only: true, seq: 2 }));
    expect(text()).toBe('1 h 12 min · as of 16:52');
    await harness.refreshWith(instancePayload(72 * MINUTE, { seq: 3 }));
    expect(text()).toBe('1 h 12 min');
    harness.backend.respond = () => {
      throw new BackendError('unreachable');
    };
    await harness.refreshWith();
    expect(text()).toBe('1 h 12 min · as of 16:52');
    expect(button?.getAttribute('aria-label')).toMatch(/1 h 12 min left\. · as of 16:52$/);
    harness.backend.respond = () => {
      throw new BackendError('no-backend');
    };
    await harness.refreshWith();
    expect(item.isHidden).toBe(false);
  });

  it('stops for good, twice if need be', async () => {
    const { harness, item } = createStatusItem();
    await harness.refreshWith();
    item.dispose();
    item.dispose();
    expect(harness.timers.pendingCount).toBe(0);
  });
});

function createCommands() {
  const harness = new ManagerHarness();
  const said: [string, boolean][] = [];
  const revealed: unknown[] = [];
  const commands = new CommandRegistry();
  const added = addCommands({
    ...{ commands, manager: harness.manager, trans },
    showPanel: (field) => revealed.push(field),
    notify: (text, good) => said.push([text, good]),
  });
  const bodies = () => harness.backend.requests.flatMap(({ body }) => body ?? []);
  return { harness, commands, said, revealed, added, bodies };
}

describe('the commands', () => {
  it('extend by the default or by what is asked for', async () => {
    const { harness, commands, said, bodies } = createCommands();
    await harness.refreshWith();
    harness.backend.respond = () =>
      changeResponse(instancePayload(132 * MINUTE, { as_of_ms: NOW + 1 }));
    await commands.execute(COMMAND_IDS.extend);
    expect(said).toEqual([['New stop time: 19:04.', true]]);
    await commands.execute(COMMAND_IDS.extend, { duration: '-30m' });
    expect(bodies()).toMatchObject([{ seconds: 3600 }, { seconds: -1800 }]);
    expect(commands.label(COMMAND_IDS.extend)).toBe('Extend by 1 h');
    expect(commands.label(COMMAND_IDS.extend, { duration: '-30m' })).toBe('Shorten by 30 min');
  });

  it('say first that a run was not extended', async () => {
    const { harness, commands, said } = createCommands();
    await harness.refreshWith();
    const values = { duration_s: 10_800, previous_duration_s: 7200 };
    harness.backend.respond = () => ({ ok: true, effect: 'next-start', values });
    await commands.execute(COMMAND_IDS.extend);
    expect(said[0]?.[0]).toMatch(/^This run was NOT extended: it still stops at 18:04/);
    expect(said[0]?.[1]).toBe(false);
  });

  it('do not extend what does not stop', async () => {
    const { harness, commands, said } = createCommands();
    await harness.refreshWith(instancePayload(HOUR, {}, { enabled: false }));
    await commands.execute(COMMAND_IDS.extend);
    expect(said).toEqual([['Auto-stop is off; there is no stop time to change.', false]]);
    await harness.refreshWith(
      instancePayload(HOUR, { seq: 2 }, { stops_at_ms: null, unknown_reason: 'idle' }),
    );
    await commands.execute(COMMAND_IDS.extend);
    expect(said[1]?.[0]).toBe('Stops when idle; there is no fixed stop time.');
  });

  it('say what a shortened run comes to', async () => {
    const { harness, commands, said } = createCommands();
    await harness.refreshWith();
    harness.backend.respond = () => ({ ok: true, effect: 'next-start' });
    await commands.execute(COMMAND_IDS.extend, { duration: '-30m' });
    expect(said[0]?.[0]).toMatch(/NOT shortened/i);
  });

  it('do not take what is no duration', async () => {
    const { harness, commands } = createCommands();
    await harness.refreshWith();
    await expect(commands.execute(COMMAND_IDS.extend, { duration: 'soon' })).rejects.toThrow(
      '“soon”',
    );
  });

  it('lead to the fields of the panel, or set what they are given', async () => {
    const { harness, commands, revealed, bodies } = createCommands();
    await harness.refreshWith();
    harness.backend.respond = () => changeResponse();
    await commands.execute(COMMAND_IDS.setAutoStop);
    await commands.execute(COMMAND_IDS.editDescription);
    await commands.execute(COMMAND_IDS.showPanel);
    expect(revealed).toEqual(['auto-stop', 'description', null]);
    await commands.execute(COMMAND_IDS.setAutoStop, { duration: '2h', enabled: true });
    await commands.execute(COMMAND_IDS.editDescription, { description: 'x' });
    expect(bodies()).toEqual([
      { auto_stop: { duration_s: 7200, enabled: true } },
      { description: 'x' },
    ]);
  });

  it('have the cloud asked again', async () => {
    const { harness, commands } = createCommands();
    await commands.execute(COMMAND_IDS.refresh);
    expect(harness.backend.requestLines).toEqual(['GET instance?refresh=1']);
  });

  it('say what they take, wait for an instance, and can be removed', async () => {
    const { harness, commands, added } = createCommands();
    expect(commands.isEnabled(COMMAND_IDS.extend)).toBe(false);
    await harness.refreshWith();
    expect(commands.isEnabled(COMMAND_IDS.extend)).toBe(true);
    expect((await commands.describedBy(COMMAND_IDS.extend)).args).toMatchObject({
      properties: { duration: { type: 'string' } },
    });
    added.dispose();
    expect(commands.listCommands()).toEqual([]);
  });
});
