import { CommandRegistry } from '@lumino/commands';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { addSaveAllCommand } from '../../src/commands/commands';
import { notify } from '../../src/reminders/notifications';
import { showReminder } from '../../src/reminders/reminder-notification';
import { BackendError, COMMAND_IDS } from '../../src/tokens';
import { HOUR, MINUTE, NOW } from '../countdown/fakes';
import { changeResponse, flushPromises, instancePayload, ManagerHarness, trans } from '../fakes';

interface ShownNotification {
  readonly text: string;
  readonly kind: string;
  readonly autoClose: unknown;
  readonly actions: readonly { readonly label: string; readonly callback: () => void }[];
}

interface UpdatedNotification {
  readonly id: string;
  readonly message?: string;
  readonly actions?: readonly object[];
  readonly autoClose?: unknown;
}

const { shown, dismissed, updated } = vi.hoisted(() => ({
  shown: [] as ShownNotification[],
  updated: [] as UpdatedNotification[],
  dismissed: [] as string[],
}));

vi.mock('@jupyterlab/apputils', () => {
  const emit = (
    text: string,
    kind: string,
    options: Pick<ShownNotification, 'autoClose' | 'actions'>,
  ): string => `toast-${shown.push({ text, kind, ...options })}`;
  const warning = (text: string, options: ShownNotification) => emit(text, 'warning', options);
  return {
    Notification: {
      ...{ emit, warning },
      dismiss: (id: string) => dismissed.push(id),
      update: (options: UpdatedNotification) => updated.push(options),
    },
  };
});

beforeEach(() => {
  shown.length = 0;
  dismissed.length = 0;
  updated.length = 0;
});

async function createReminder(leftMs = 30 * MINUTE - 10_000, name = 'train-a') {
  const harness = new ManagerHarness();
  await harness.refreshWith(instancePayload(leftMs, { instance: { id: 'i-1', name } }));
  const commands = new CommandRegistry();
  const unsaved: string[] = [];
  const findUnsaved = () => Promise.resolve([...unsaved]);
  const options = { manager: harness.manager, trans, commands, findUnsaved };
  const show = () =>
    showReminder(options, { stopsAtMs: NOW + leftMs, remainingS: Math.floor(leftMs / 1000) });
  const press = async (label: string) => {
    shown[0]?.actions.find((each) => each.label === label)?.callback();
    await vi.waitFor(() => {
      expect(harness.backend.requests.length + shown.length).toBeGreaterThan(2);
    });
    await flushPromises();
  };
  return { harness, commands, show, press, unsaved };
}

describe('a result', () => {
  it('is shown longer if it is an error', () => {
    notify('Done.', true);
    notify('x'.repeat(141), false);
    expect(shown).toMatchObject([
      { text: 'Done.', kind: 'success', autoClose: 5_000 },
      { text: `${'x'.repeat(139)}…`, kind: 'warning', autoClose: 15_000 },
    ]);
  });
});

describe('the buttons of a result', () => {
  it('are replaced without showing a closed notification again', () => {
    const undo = { label: 'Undo', caption: '', callback: () => undefined };
    const now = vi.spyOn(performance, 'now').mockReturnValue(0);
    const setActions = notify('Done.', true, [undo]);
    now.mockReturnValue(14_000);
    setActions([]);
    now.mockReturnValue(15_000);
    setActions([]);
    now.mockRestore();
    expect(updated).toEqual([
      { id: 'toast-1', actions: [], autoClose: 15_000 },
      { id: 'toast-1', actions: [], autoClose: 0 },
    ]);
  });
});

describe('a reminder', () => {
  it('stays until it is dismissed', async () => {
    const { show } = await createReminder();
    const takeAway = show();
    expect(shown).toMatchObject([
      {
        text:
          'Stops at 17:21 (30 min left as of 16:52). Extending also lengthens later runs. ' +
          'Instance: train-a.',
        autoClose: false,
      },
    ]);
    expect(shown[0]?.actions.map(({ label }) => label)).toEqual(['+1 h', 'Mute']);
    takeAway();
    expect(dismissed).toEqual(['toast-1']);
  });

  it.each(['', 'x'.repeat(60)])('omits a name such as %j', async (name) => {
    const { show } = await createReminder(20 * MINUTE, name);
    show();
    expect(shown[0]?.text).toBe(
      'Stops at 17:12 (20 min left as of 16:52). Extending also lengthens later runs.',
    );
  });

  it('two minutes before the stop says whether everything is saved', async () => {
    const { harness, show, unsaved } = await createReminder(2 * MINUTE - 1_000);
    unsaved.push('a.ipynb');
    const dismiss = show();
    await vi.waitFor(() => {
      expect(updated).toHaveLength(1);
    });
    expect(updated.at(-1)?.message).toMatch(
      /^Stops at 16:53 \(2 min left as of 16:52\)\. Not saved at 16:52: a\.ipynb\./,
    );
    unsaved.length = 0;
    await harness.manager.reportSaved(NOW + 2 * MINUTE, { saved: ['a.ipynb'], notSaved: [] }, '');
    await flushPromises();
    expect(updated.at(-1)?.message).toMatch(
      /^Stops at 16:53 \(2 min left as of 16:52\)\. Everything was saved at 16:52\. Saved: a\.ipynb\./,
    );
    dismiss();
    const count = updated.length;
    unsaved.push('b.ipynb');
    await harness.refreshWith();
    await flushPromises();
    expect(updated).toHaveLength(count);
  });

  it('extends the run and shows the result', async () => {
    const { harness, show, press } = await createReminder();
    show();
    harness.backend.respond = () => changeResponse(instancePayload(90 * MINUTE, { seq: 2 }));
    await press('+1 h');
    expect(harness.backend.requests[1]).toMatchObject({ path: 'extend', body: { seconds: 3600 } });
    expect(shown[1]).toMatchObject({ text: 'New stop time: 18:22.', kind: 'success' });
  });

  it('can be turned off', async () => {
    const { harness, show, press } = await createReminder();
    show();
    harness.backend.respond = () =>
      changeResponse(instancePayload(HOUR, { seq: 2, reminders: { muted: true } }));
    await press('Mute');
    expect(harness.backend.requests[1]).toMatchObject({ path: 'remind', body: { muted: true } });
    expect(shown).toHaveLength(1);
    harness.backend.respond = () => {
      throw new BackendError('unreachable');
    };
    await press('Mute');
    expect(shown[1]).toMatchObject({ kind: 'warning' });
    expect(shown[1]?.text).toMatch(/^The Jupyter server is not responding/);
  });

  it('offers to save all documents', async () => {
    const { harness, commands, show, press } = await createReminder();
    const { manager } = harness;
    const reports = [
      { saved: [], notSaved: [] },
      {
        saved: ['a'],
        notSaved: ['b', 'c', 'd', 'e'].map((path) => ({ path, reason: 'read-only' })),
      },
      { saved: ['a', 'b'], notSaved: [] },
    ];
    addSaveAllCommand({ commands, manager, trans, notify }, () =>
      Promise.resolve(reports.pop() ?? { saved: [], notSaved: [] }),
    );
    show();
    await press('Save All');
    await commands.execute(COMMAND_IDS.saveAll);
    await commands.execute(COMMAND_IDS.saveAll);
    expect(shown.slice(1).map(({ kind, text }) => [kind, text])).toEqual([
      ['success', 'Saved: a, b'],
      [
        'warning',
        '4 documents not saved: b (is read-only), c (is read-only), d (is read-only), e (is read-only)',
      ],
      ['success', 'Nothing to save in this tab.'],
    ]);
  });
});
