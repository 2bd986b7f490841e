import { afterEach, expect, it } from 'vitest';
import { BackendError, COMMAND_IDS } from '../../src/tokens';
import { MINUTE, NOW } from '../countdown/fakes';
import { instancePayload } from '../fakes';
import { openPanel, type PanelFixture } from './panel-fixture';

let fixture: PanelFixture;

afterEach(() => {
  fixture.dispose();
});

const OFFERS = {
  undo: { action: 'extend', restores: 'run time 1 h' },
  restore: { duration_s: 3600, planned: false },
  keep: {
    guards: [{ id: 'a1', name: 'train', since_ms: NOW, until_ms: NOW + MINUTE, then: 'leave' }],
  },
};
const CHANGING = [
  ...['Undo', 'Restore 1 h for later starts', 'Stop Now…', 'Keep Until This Cell Ends'],
  'Edit',
];

it('nothing can be changed after a stop that is presumed', async () => {
  fixture = await openPanel(instancePayload(2 * MINUTE, OFFERS));
  fixture.commands.addCommand(COMMAND_IDS.stop, {
    execute: () => undefined,
    describedBy: { args: {} },
  });
  fixture.shell.open();
  fixture.shell.setStatus('busy');
  await fixture.harness.refreshWith(instancePayload(2 * MINUTE, { ...OFFERS, seq: 2 }));
  for (const label of CHANGING) {
    fixture.findButton(label);
  }
  fixture.harness.backend.respond = () => {
    throw new BackendError('unreachable');
  };
  fixture.harness.isStreamOpen = false;
  for (let second = 0; second < 150; second++) {
    await fixture.harness.advance(1_000);
  }
  expect(fixture.harness.manager.presumedStop).not.toBeNull();
  for (const label of CHANGING) {
    expect(() => fixture.findButton(label), label).toThrow();
  }
  // The style sheet hides the fields of the countdown. Notifications of this browser do not concern the instance.
  expect(fixture.findElement('.ma-mod-readOnly .ma-Countdown')).toBeTruthy();
  const all = [...fixture.panel.node.querySelectorAll('input, select')] as HTMLInputElement[];
  const own = all.filter((each) => !each.closest('.ma-Panel-notifications, .ma-Countdown'));
  expect(own.length).toBeGreaterThan(4);
  expect(own.filter(({ disabled }) => !disabled)).toEqual([]);
  for (const label of ['Let Go', '+2 h', 'Add']) {
    const button = fixture.findButton(label);
    expect(button.disabled, label).toBe(true);
    expect(button.closest<HTMLElement>('[title]')?.title).toMatch(/^Stopped at/);
  }
});
