import { afterEach, describe, expect, it } from 'vitest';
import { BackendError } from '../../src/tokens';
import { HOUR, NOW } from '../countdown/fakes';
import { changeResponse, instancePayload } from '../fakes';
import { openPanel, type PanelFixture } from './panel-fixture';

const TRAIN = {
  ...{ id: 'a1', name: 'train.ipynb', reason: 'fine-tune' },
  ...{ since_ms: NOW - HOUR, until_ms: NOW + 8 * HOUR, then: 'leave' },
};
const UPLOAD = { ...TRAIN, id: 'b2', name: 'upload', reason: '', then: 'stop' };
const keep = (...guards: readonly object[]) => ({
  ...{ guards, covered_until_ms: null, stop: null, problem: '' },
});
let fixture: PanelFixture;

afterEach(() => {
  fixture.dispose();
});

async function open(state: object | null): Promise<void> {
  fixture = await openPanel(instancePayload(HOUR, { keep: state }));
}

describe('what keeps the instance', () => {
  it('is not shown when nothing does', async () => {
    await open(null);
    expect(fixture.findElement('.ma-Panel-keep').hidden).toBe(true);
  });

  it('is listed with reason, times and what happens afterwards', async () => {
    await open(keep(TRAIN, UPLOAD));
    expect(fixture.visibleText).toMatch(
      /Kept by train\.ipynb \(fine-tune\) since .+, until .+ at most Let Go/,
    );
    expect(fixture.visibleText).toMatch(/Kept by upload since .+, until .+ at most, then stopped/);
  });

  it('is extended, with the guarantee of the server as the result', async () => {
    await open(keep(UPLOAD, TRAIN));
    const later = { ...UPLOAD, until_ms: UPLOAD.until_ms + 2 * HOUR };
    fixture.harness.backend.respond = () => ({
      ...changeResponse(instancePayload(HOUR, { seq: 2, keep: keep(later, TRAIN) })),
      text: 'Kept alive until 04:10 at most.',
    });
    await fixture.click('+2 h');
    expect(fixture.lastWrite).toMatchObject({
      path: 'keep',
      body: { action: 'extend', id: 'b2', seconds: 7200 },
    });
    expect(fixture.visibleText).toContain('Kept alive until 04:10 at most.');
  });

  it('is let go, after which only the result is shown', async () => {
    await open(keep(TRAIN));
    fixture.harness.backend.respond = () => ({
      ...changeResponse(instancePayload(HOUR, { seq: 2, keep: null })),
      text: 'Keep-alive “train.ipynb” has ended.',
    });
    await fixture.click('Let Go');
    expect(fixture.lastWrite).toMatchObject({ path: 'keep', body: { action: 'end', id: 'a1' } });
    expect(fixture.visibleText).toContain('Keep-alive “train.ipynb” has ended.');
    expect(() => fixture.findButton('Let Go')).toThrow();
  });

  it('stays as it is after a refusal, which is shown', async () => {
    await open(keep(TRAIN));
    fixture.harness.backend.respond = () => {
      throw new BackendError('keep.not_extended', 'The limit is unchanged.', { status: 422 });
    };
    await fixture.click('+2 h');
    expect(fixture.visibleText).toContain('The limit is unchanged.');
    expect(fixture.findButton('+2 h').disabled).toBe(false);
  });

  it('names the stop after the work, which can be cancelled', async () => {
    const stop = { name: 'upload', stops_at_ms: NOW + 60_000, waiting_for: [] };
    await open({ ...keep(), stop });
    expect(fixture.visibleText).toContain('After “upload”, the instance stops at');
    await fixture.click('Do Not Stop');
    expect(fixture.lastWrite).toMatchObject({ path: 'keep', body: { action: 'cancel-stop' } });
  });

  it('offers to postpone the stop by an hour', async () => {
    const stop = { name: 'upload', stops_at_ms: NOW + 60_000, waiting_for: [] };
    await open({ ...keep(), stop });
    await fixture.click('Keep 1 h');
    expect(fixture.lastWrite).toMatchObject({
      body: { action: 'postpone-stop', seconds: 3600 },
    });
  });

  it('says which other work postpones the stop', async () => {
    const stop = { name: 'upload', stops_at_ms: null, waiting_for: ['a.ipynb', 'make'] };
    await open({ ...keep(), stop });
    expect(fixture.visibleText).toContain('as soon as this has ended: a.ipynb, make');
  });

  it('says that auto-stop goes back to idle mode', async () => {
    await open({ ...keep(), switched_mode: 'Auto-stop goes back to idle mode.' });
    expect(fixture.visibleText).toContain('Auto-stop goes back to idle mode.');
  });

  it('shows what came of a command before the stop', async () => {
    const results = [
      { text: '17:01 · “save” ran.', ok: true },
      { text: '17:02 · “upload” failed.', ok: false },
    ];
    await open({ ...keep(), results });
    const lines = [...fixture.findElement('.ma-Panel-keep').querySelectorAll('p')];
    const shown = lines.map(({ textContent, dataset }) => [textContent, dataset.tone]);
    expect(shown).toContainEqual(['17:01 · “save” ran.', 'info']);
    expect(shown).toContainEqual(['17:02 · “upload” failed.', 'error']);
  });

  it('shows why the instance may not be kept', async () => {
    await open({ ...keep(TRAIN), problem: 'The process is not running.' });
    expect(fixture.visibleText).toContain('The process is not running.');
  });
});

describe('a cell that runs already', () => {
  const offer = 'Keep Until This Cell Ends';

  it('can be kept while its kernel is busy', async () => {
    await open(null);
    fixture.shell.open();
    expect(() => fixture.findButton(offer)).toThrow();
    fixture.shell.setStatus('busy');
    const current = keep({ ...TRAIN, name: 'train.ipynb' });
    fixture.harness.backend.respond = () => ({
      ...changeResponse(instancePayload(HOUR, { seq: 2, keep: current })),
      text: 'Kept alive until the running cell ends.',
    });
    await fixture.click(offer);
    expect(fixture.lastWrite).toMatchObject({
      body: { action: 'keep-cell', id: 'k-1', name: 'train.ipynb' },
    });
    expect(fixture.visibleText).toContain('Kept alive until the running cell ends.');
    // It is kept now.
    expect(() => fixture.findButton(offer)).toThrow();
  });

  it('is found although its kernel reports that it is idle', async () => {
    await open(null);
    fixture.shell.cells.push({ promptNode: { textContent: '[*]:' } });
    fixture.shell.open();
    expect(fixture.findButton(offer).disabled).toBe(false);
  });

  it('is not offered after the panel was disposed', async () => {
    await open(null);
    fixture.panel.dispose();
    fixture.shell.setStatus('busy');
    fixture.shell.open();
    expect(() => fixture.findButton(offer)).toThrow();
  });
});
