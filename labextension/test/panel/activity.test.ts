import { afterEach, describe, expect, it } from 'vitest';
import { BackendError } from '../../src/tokens';
import { HOUR, NOW } from '../countdown/fakes';
import { changeResponse, flushPromises, instancePayload } from '../fakes';
import { openPanel, type PanelFixture } from './panel-fixture';

const LINES = ['Working: train.ipynb: cell [14], 2 h 10 min', 'Unknown: GPU: driver not found'];
const WHILE_BUSY = {
  ...{ id: 'a1', name: 'while-busy', kind: 'while-busy', reason: '' },
  ...{ since_ms: NOW, until_ms: NOW + HOUR, then: 'leave' },
};
const keep = (overrides: object = {}) => ({
  ...{ guards: [], covered_until_ms: null, stop: null, failed_stop: '' },
  ...{ stop_when_idle: null, problem: '' },
  ...overrides,
});
const after = (state: object | null) => ({
  ...changeResponse(instancePayload(HOUR, { seq: 2, keep: state })),
  text: 'Done.',
});
let fixture: PanelFixture;

afterEach(() => {
  fixture.dispose();
});

async function open(state: object | null = null): Promise<HTMLDetailsElement> {
  fixture = await openPanel(instancePayload(HOUR, { keep: state }));
  fixture.harness.backend.respond = () => ({ busy: true, lines: LINES });
  return fixture.findElement('.ma-Panel-findings').closest('details') as HTMLDetailsElement;
}

const findSwitch = (label: string): HTMLInputElement => {
  const all = [...fixture.panel.node.querySelectorAll('label')];
  const found = all.find((each) => each.textContent === label)?.querySelector('input');
  if (!found) {
    throw new Error(`no switch ${label}`);
  }
  return found;
};
const KEEP = 'Keep while anything works';
const STOP = 'Stop when nothing works';

async function toggle(section: HTMLDetailsElement, isOpen: boolean): Promise<void> {
  section.open = isOpen;
  section.dispatchEvent(new Event('toggle'));
  await flushPromises();
}

const questions = (): number =>
  fixture.harness.backend.requestLines.filter((line) => line === 'POST activity').length;

describe('the section about activity', () => {
  it('asks when it is opened and while it is open, and not before or after', async () => {
    const section = await open();
    expect(questions()).toBe(0);
    await toggle(section, true);
    expect(section.textContent).toContain(LINES.join(''));
    const asked = questions();
    await fixture.harness.advance(30_000);
    expect(questions()).toBe(asked + 1);
    await toggle(section, false);
    await fixture.harness.advance(300_000);
    expect(questions()).toBe(asked + 1);
  });

  it('shows a failure in place of the lines', async () => {
    const section = await open();
    fixture.harness.backend.respond = () => {
      throw new BackendError('activity.no_report', 'The daemon did not report.', { status: 502 });
    };
    await toggle(section, true);
    expect(section.textContent).toContain('The daemon did not report.');
  });

  it('keeps the instance while anything works, and lets it go', async () => {
    await open();
    fixture.harness.backend.respond = () => after(keep({ guards: [WHILE_BUSY] }));
    findSwitch(KEEP).click();
    await flushPromises();
    expect(fixture.lastWrite).toMatchObject({ body: { action: 'keep-while-busy' } });
    expect(findSwitch(KEEP).checked).toBe(true);
    expect(fixture.visibleText).toContain('Done.');
    fixture.harness.backend.respond = () => after(null);
    findSwitch(KEEP).click();
    await flushPromises();
    expect(fixture.lastWrite).toMatchObject({ body: { action: 'end', id: 'a1' } });
    expect(findSwitch(KEEP).checked).toBe(false);
  });

  it('stops the instance when nothing works, after the selected time', async () => {
    await open();
    const select = fixture.findElement('select') as HTMLSelectElement;
    expect(select.value).toBe('1800');
    fixture.harness.backend.respond = () =>
      after(keep({ stop_when_idle: { idle_s: 3600, postponed_until_ms: null } }));
    select.value = '3600';
    select.dispatchEvent(new Event('change'));
    await flushPromises();
    // The time alone turns nothing on.
    expect(fixture.lastWrite).toBeUndefined();
    findSwitch(STOP).click();
    await flushPromises();
    expect(fixture.lastWrite).toMatchObject({ body: { action: 'stop-when-idle', seconds: 3600 } });
    expect([findSwitch(STOP).checked, select.value]).toEqual([true, '3600']);
    findSwitch(STOP).click();
    await flushPromises();
    expect(fixture.lastWrite).toMatchObject({ body: { action: 'stop-when-idle', seconds: 0 } });
  });

  it('shows a time that a command has set', async () => {
    await open(keep({ stop_when_idle: { idle_s: 2700, postponed_until_ms: null } }));
    const select = fixture.findElement('select') as HTMLSelectElement;
    expect(select.selectedOptions[0]?.textContent).toBe('45 min');
    expect(findSwitch(STOP).checked).toBe(true);
  });

  it('takes a switch back after a refusal', async () => {
    await open();
    fixture.harness.backend.respond = () => {
      throw new BackendError('keep.refused.idle', 'Auto-stop is in idle mode.', { status: 422 });
    };
    findSwitch(KEEP).click();
    await flushPromises();
    expect(findSwitch(KEEP).checked).toBe(false);
    expect(fixture.visibleText).toContain('Auto-stop is in idle mode.');
  });

  it('announces the stop, and says why one was not carried out', async () => {
    const stop = { name: '', stops_at_ms: NOW + 600_000, waiting_for: [], idle_s: 1800 };
    await open(keep({ stop, failed_stop: 'The instance could not be stopped: refused' }));
    expect(fixture.visibleText).toContain('Nothing is working, so the instance stops at');
    expect(fixture.visibleText).toContain('The instance could not be stopped: refused');
  });
});
