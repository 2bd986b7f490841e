import { CommandRegistry } from '@lumino/commands';
import { describe, expect, it } from 'vitest';
import { addCommands, addSaveAllCommand } from '../../src/commands/commands';
import type { NotificationAction } from '../../src/commands/options';
import { COMMAND_IDS } from '../../src/tokens';
import { HOUR, MINUTE, NOW } from '../countdown/fakes';
import { changeResponse, FakeShell, instancePayload, ManagerHarness, trans } from '../fakes';

function createCommands() {
  const harness = new ManagerHarness();
  const said: [string, boolean][] = [];
  const revealed: unknown[] = [];
  const actions: { current: readonly NotificationAction[] } = { current: [] };
  const commands = new CommandRegistry();
  const shell = new FakeShell();
  const added = addCommands({
    ...{ commands, manager: harness.manager, trans, shell },
    showPanel: (field) => revealed.push(field),
    togglePanel: () => revealed.push('toggled'),
    notify: (text, good, given = []) => {
      said.push([text, good]);
      actions.current = given;
      return (later) => {
        actions.current = later;
      };
    },
  });
  const bodies = () => harness.backend.requests.flatMap(({ body }) => body ?? []);
  return { harness, commands, shell, said, revealed, added, bodies, actions };
}

describe('the commands', () => {
  it('extend by the default or by an argument', async () => {
    const { harness, commands, said, bodies } = createCommands();
    await harness.refreshWith();
    harness.backend.respond = () =>
      changeResponse(instancePayload(132 * MINUTE, { as_of_ms: NOW + 1 }));
    await commands.execute(COMMAND_IDS.extend);
    expect(said).toEqual([['New stop time: 19:04.', true]]);
    await commands.execute(COMMAND_IDS.extend, { duration: '-30m' });
    expect(bodies()).toMatchObject([{ seconds: 3600 }, { seconds: -1800 }]);
    expect(commands.label(COMMAND_IDS.extend)).toBe('ModelArts: Extend Stop Time by 1 h');
    expect(commands.label(COMMAND_IDS.extend, { duration: '-30m' })).toBe(
      'ModelArts: Shorten by 30m',
    );
  });

  it('keep the instance until the cell in front has ended', async () => {
    const { harness, commands, shell, said, bodies } = createCommands();
    await harness.refreshWith();
    shell.open();
    expect(commands.isEnabled(COMMAND_IDS.keepCell)).toBe(false);
    shell.setStatus('busy');
    expect(commands.isEnabled(COMMAND_IDS.keepCell)).toBe(true);
    harness.backend.respond = () => ({ ...changeResponse(), text: 'Kept alive.' });
    await commands.execute(COMMAND_IDS.keepCell);
    expect(bodies()).toEqual([{ action: 'keep-cell', id: 'k-1', name: 'train.ipynb' }]);
    expect(said).toEqual([['Kept alive.', true]]);
  });

  it('report an unchanged run', async () => {
    const { harness, commands, said } = createCommands();
    await harness.refreshWith();
    const values = { duration_s: 10_800, previous_duration_s: 7200 };
    harness.backend.respond = () => ({ ok: true, effect: 'next-start', values });
    await commands.execute(COMMAND_IDS.extend);
    expect(said[0]?.[0]).toMatch(/^This run was NOT extended: it still stops at 18:04/);
    expect(said[0]?.[1]).toBe(false);
  });

  it('extend from now after the stop time', async () => {
    const { harness, commands, said, bodies } = createCommands();
    const passedMs = NOW - MINUTE;
    await harness.refreshWith(
      instancePayload(0, {}, { stops_at_ms: null, passed_stop_ms: passedMs }),
    );
    harness.backend.respond = () => changeResponse(instancePayload(HOUR, { as_of_ms: NOW + 1 }));
    await commands.execute(COMMAND_IDS.extend);
    expect(bodies()).toMatchObject([{ seconds: 3600, base_stops_at_ms: passedMs }]);
    expect(said).toEqual([['New stop time: 17:52.', true]]);
    await harness.refreshWith(
      instancePayload(0, { seq: 2 }, { stops_at_ms: null, passed_stop_ms: passedMs }),
    );
    await commands.execute(COMMAND_IDS.extend, { duration: '-30m' });
    expect(bodies()).toHaveLength(1);
  });

  it('do not extend without a stop time', async () => {
    const { harness, commands, said } = createCommands();
    await harness.refreshWith(instancePayload(HOUR, {}, { enabled: false }));
    await commands.execute(COMMAND_IDS.extend);
    expect(said).toEqual([
      ['Auto-stop is off. The instance runs, and is billed, until you stop it.', false],
    ]);
    await harness.refreshWith(
      instancePayload(HOUR, { seq: 2 }, { stops_at_ms: null, mode: 'IDLE' }),
    );
    await commands.execute(COMMAND_IDS.extend);
    expect(said[1]?.[0]).toBe('Stops when idle. There is no fixed stop time.');
  });

  it('report a run that was not shortened', async () => {
    const { harness, commands, said } = createCommands();
    await harness.refreshWith();
    harness.backend.respond = () => ({ ok: true, effect: 'next-start' });
    await commands.execute(COMMAND_IDS.extend, { duration: '-30m' });
    expect(said[0]?.[0]).toMatch(/NOT shortened/i);
  });

  it('refuse an invalid duration', async () => {
    const { harness, commands } = createCommands();
    await harness.refreshWith();
    await expect(commands.execute(COMMAND_IDS.extend, { duration: 'soon' })).rejects.toThrow(
      '“soon”',
    );
  });

  it('show the panel or use their arguments', async () => {
    const { harness, commands, revealed, bodies } = createCommands();
    await harness.refreshWith();
    harness.backend.respond = () => changeResponse();
    await commands.execute(COMMAND_IDS.setAutoStop);
    await commands.execute(COMMAND_IDS.editDescription);
    await commands.execute(COMMAND_IDS.showPanel);
    await commands.execute(COMMAND_IDS.showPanel, { toggle: true });
    expect(revealed).toEqual(['auto-stop', 'description', null, 'toggled']);
    await commands.execute(COMMAND_IDS.setAutoStop, { duration: '2h', enabled: true });
    await commands.execute(COMMAND_IDS.editDescription, { description: 'x' });
    expect(bodies()).toEqual([
      { auto_stop: { duration_s: 7200, enabled: true } },
      { description: 'x' },
    ]);
  });

  it('report that documents cannot be saved without the server', async () => {
    const { harness, commands, said } = createCommands();
    const notify = (text: string, good: boolean) => {
      said.push([text, good]);
      return () => undefined;
    };
    // The code of the autosave is loaded from there.
    addSaveAllCommand({ commands, manager: harness.manager, trans, notify }, () =>
      Promise.reject(new Error('Loading chunk 857 failed.')),
    );
    await commands.execute(COMMAND_IDS.saveAll);
    expect(said).toEqual([['The Jupyter server is not responding. Retrying…', false]]);
  });

  it('refresh from the API', async () => {
    const { harness, commands } = createCommands();
    await commands.execute(COMMAND_IDS.refresh);
    expect(harness.backend.requestLines).toEqual(['GET instance?refresh=1']);
  });

  it('have schemas, need an instance, and can be removed', async () => {
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
