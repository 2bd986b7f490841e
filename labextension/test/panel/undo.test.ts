import { afterEach, describe, expect, it } from 'vitest';
import { BackendError } from '../../src/tokens';
import { HOUR } from '../countdown/fakes';
import { changeResponse, instancePayload } from '../fakes';
import { openPanel, type PanelFixture } from './panel-fixture';

const OFFER = { action: 'extend', restores: 'run time 1 h, stop time 15:00' };
let fixture: PanelFixture;

afterEach(() => {
  fixture.dispose();
});

describe('the last change', () => {
  it('is undone with one click, as long as nothing else is changed', async () => {
    fixture = await openPanel(instancePayload(HOUR, { undo: OFFER }));
    expect(fixture.visibleText).toContain('Undo restores: run time 1 h, stop time 15:00.');
    fixture.harness.backend.respond = () => changeResponse(instancePayload(HOUR, { seq: 2 }));
    await fixture.click('Undo');
    expect(fixture.lastWrite).toMatchObject({ method: 'POST', path: 'undo' });
    expect(fixture.visibleText).not.toContain('Undo restores');
  });

  it('has no button where it cannot be undone', async () => {
    fixture = await openPanel(instancePayload(HOUR, { undo: null }));
    expect(() => fixture.findButton('Undo')).toThrow();
  });

  it('stays undoable after an error, which is shown', async () => {
    fixture = await openPanel(instancePayload(HOUR, { undo: OFFER }));
    fixture.harness.backend.respond = () => {
      throw new BackendError('api.500', 'Server error.', { status: 502 });
    };
    await fixture.click('Undo');
    expect(fixture.visibleText).toContain('Server error.');
    expect(fixture.findButton('Undo').disabled).toBe(false);
  });
});

describe('a change that cannot be undone', () => {
  it('says why and what is possible, without a button', async () => {
    const refusal = 'Undo cannot restore this: stop time 15:00. Other values can be set.';
    fixture = await openPanel(instancePayload(HOUR, { undo: { action: 'extend', refusal } }));
    expect(fixture.visibleText).toContain(refusal);
    expect(() => fixture.findButton('Undo')).toThrow();
  });
});
