import { afterEach, describe, expect, it } from 'vitest';
import { COMMAND_IDS } from '../../src/tokens';
import { HOUR, NOW } from '../countdown/fakes';
import { changeResponse, flushPromises, instancePayload } from '../fakes';
import { openPanel, PanelFixture } from './panel-fixture';

const DAY = 24 * HOUR;
const bounds = (latestMs: number) => ({
  bounds: { earliest_stop_ms: NOW + HOUR, latest_stop_ms: NOW + latestMs, from_now: false },
});
const stopping = (latestMs: number) => instancePayload(HOUR, {}, bounds(latestMs));
let fixture: PanelFixture;

afterEach(() => {
  fixture.dispose();
});

const findMorningButton = () =>
  [...fixture.panel.node.querySelectorAll('button')].find(
    (each) => each.textContent?.startsWith('Off until') && !each.hidden,
  );

describe('keeping the instance until the morning', () => {
  it('shows the stop time with its day before the click, and sets it', async () => {
    fixture = await openPanel(stopping(2 * DAY));
    const button = findMorningButton();
    const preview = fixture.findElement('#ma-morning-preview');
    expect(button?.textContent).toMatch(/^Off until 0?9:00/);
    expect(preview.textContent).toMatch(/^Will stop at \d{4}-\d\d-\d\d 0?9:00/);
    expect(button?.getAttribute('aria-describedby')).toBe(preview.id);
    fixture.harness.backend.respond = () => changeResponse(instancePayload(HOUR, { seq: 2 }));
    button?.click();
    await flushPromises();
    const { auto_stop: sent } = (
      fixture.lastWrite as { body: { auto_stop: { enabled: boolean; until_ms: number } } }
    ).body;
    expect(sent.enabled).toBe(true);
    expect(new Date(sent.until_ms).getHours()).toBe(9);
    expect(sent.until_ms).toBeGreaterThan(NOW);
    expect(sent.until_ms).toBeLessThanOrEqual(NOW + DAY);
  });

  it('is not offered where the API cannot set that stop time', async () => {
    fixture = await openPanel(stopping(HOUR));
    expect(findMorningButton()).toBeUndefined();
    expect(fixture.findElement('#ma-morning-preview').hidden).toBe(true);
  });
});

describe('stopping now', () => {
  it('is left to the command, which asks', async () => {
    fixture = new PanelFixture();
    let calls = 0;
    fixture.commands.addCommand(COMMAND_IDS.stop, {
      execute: () => calls++,
      describedBy: { args: {} },
    });
    await fixture.harness.refreshWith(stopping(2 * DAY));
    await fixture.click('Stop Now…');
    expect(calls).toBe(1);
    expect(fixture.lastWrite).toBeUndefined();
  });

  it('is not offered without the command, or with a state of another process', async () => {
    fixture = await openPanel(stopping(2 * DAY));
    expect(() => fixture.findButton('Stop Now…')).toThrow();
    fixture.commands.addCommand(COMMAND_IDS.stop, {
      execute: () => undefined,
      describedBy: { args: {} },
    });
    await fixture.harness.refreshWith({ ...stopping(2 * DAY), seq: 2, read_only: true });
    expect(() => fixture.findButton('Stop Now…')).toThrow();
    expect(findMorningButton()?.closest('[hidden]')).not.toBeNull();
  });

  it('is not offered for an instance that has stopped', async () => {
    fixture = new PanelFixture();
    fixture.commands.addCommand(COMMAND_IDS.stop, {
      execute: () => undefined,
      describedBy: { args: {} },
    });
    await fixture.harness.refreshWith(instancePayload(HOUR, {}, { status: 'STOPPED' }));
    expect(() => fixture.findButton('Stop Now…')).toThrow();
  });
});
