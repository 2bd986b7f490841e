import { afterEach, describe, expect, it } from 'vitest';
import { BackendError } from '../../src/tokens';
import { HOUR } from '../countdown/fakes';
import { changeResponse, instancePayload } from '../fakes';
import { openPanel, type PanelFixture } from './panel-fixture';

const LABEL = 'Restore 2 h for later starts';
const offered = (planned = false, seq = 1) =>
  instancePayload(
    HOUR,
    { seq, restore: { duration_s: 7200, planned } },
    { duration_s: 5 * 3600, enabled: true },
  );
let fixture: PanelFixture;

afterEach(() => {
  fixture.dispose();
});

describe('the run time of later starts', () => {
  it('is restored with one click, after which it is shown as planned', async () => {
    fixture = await openPanel(offered());
    expect(fixture.visibleText).toContain('Later starts now run 5 h, too.');
    fixture.harness.backend.respond = () => changeResponse(offered(true, 2));
    await fixture.click(LABEL);
    expect(fixture.lastWrite).toMatchObject({ method: 'POST', path: 'restore' });
    expect(fixture.visibleText).toContain('Restored at the next start: 2 h.');
    expect(() => fixture.findButton(LABEL)).toThrow();
  });

  it('is not mentioned when it is as usual', async () => {
    fixture = await openPanel(instancePayload(HOUR, { restore: null }));
    expect(fixture.visibleText).not.toContain('ater starts');
  });

  it('can be restored again after an error, which another extension removes', async () => {
    fixture = await openPanel(offered());
    fixture.harness.backend.respond = () => {
      throw new BackendError('api.500', 'Server error.', { status: 502 });
    };
    await fixture.click(LABEL);
    expect(fixture.visibleText).toContain('Server error.');
    expect(fixture.findButton(LABEL).disabled).toBe(false);
    await fixture.harness.refreshWith(
      instancePayload(
        HOUR,
        { seq: 2, restore: { duration_s: 3600, planned: false } },
        { duration_s: 6 * 3600 },
      ),
    );
    expect(fixture.findElement('.ma-Panel-restore').textContent).not.toContain('Server error.');
    fixture.findButton('Restore 1 h for later starts');
  });
});
