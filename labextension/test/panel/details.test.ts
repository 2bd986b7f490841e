import { afterEach, describe, expect, it, vi } from 'vitest';
import { flushPromises, instancePayload } from '../fakes';
import { openPanel, type PanelFixture } from './panel-fixture';

let fixture: PanelFixture;

afterEach(() => {
  fixture.dispose();
  vi.unstubAllGlobals();
  getSelection()?.removeAllRanges();
});

async function copyWith(writeText: (text: string) => Promise<void>): Promise<void> {
  vi.stubGlobal('navigator', { clipboard: { writeText } });
  fixture = await openPanel();
  fixture.findElement('[aria-label="Copy ID"]').click();
  await flushPromises();
}

describe('the ID of the instance', () => {
  it('is copied with one click, which is announced', async () => {
    const copied: string[] = [];
    await copyWith((text) => Promise.resolve(void copied.push(text)));
    expect(copied).toEqual(['i-1']);
    expect(fixture.findElement('[role="status"].ma-Panel-liveRegion').textContent).toBe('Copied');
  });

  it('is selected where the page has no permission to copy', async () => {
    await copyWith(() => Promise.reject(new Error('denied')));
    expect(getSelection()?.toString()).toBe('i-1');
  });
});

describe('the link to the console', () => {
  it('opens the page of the server, and is hidden without an address', async () => {
    const url = 'https://console.huaweicloud.com/modelarts/?region=cn-north-4';
    fixture = await openPanel(instancePayload(undefined, { console_url: url }));
    const link = fixture.findElement('.ma-Panel-link') as HTMLAnchorElement;
    expect(link.href).toBe(url);
    expect(link.hidden).toBe(false);
    await fixture.harness.refreshWith(instancePayload(undefined, { seq: 2 }));
    expect(link.hidden).toBe(true);
  });
});
