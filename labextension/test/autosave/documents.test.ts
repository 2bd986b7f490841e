import type { JupyterFrontEnd } from '@jupyterlab/application';
import type { IDocumentManager } from '@jupyterlab/docmanager';
import { describe, expect, it } from 'vitest';
import { dirtyDocuments } from '../../src/autosave/documents';
import { NOW } from '../countdown/fakes';

interface FileVersion {
  readonly writable: boolean;
  readonly hash?: string;
  readonly last_modified: string;
}

const isoTime = (ms: number): string => new Date(ms).toISOString();
const fileVersion = (more: Partial<FileVersion> = {}): FileVersion => ({
  ...{ writable: true, last_modified: isoTime(NOW) },
  ...more,
});

/** A document with unsaved changes. */
class FakeDocument {
  saves = 0;

  constructor(
    readonly path: string,
    readonly contentsModel: FileVersion | null = fileVersion(),
    readonly model = { dirty: true },
  ) {}

  save(): Promise<void> {
    this.saves++;
    return Promise.resolve();
  }
}

/** A page with open documents, and a disk with files. */
class FakeLab {
  readonly disk = new Map<string, FileVersion | Error>();

  constructor(readonly views: readonly (FakeDocument | undefined)[]) {}

  dirty(): ReturnType<typeof dirtyDocuments> {
    const shell = { widgets: (area: string) => (area === 'main' ? this.views : []).values() };
    const get = (path: string): Promise<FileVersion> => {
      const found = this.disk.get(path) ?? new ResponseError(404);
      return found instanceof Error ? Promise.reject(found) : Promise.resolve(found);
    };
    const documents = {
      contextForWidget: (view: unknown) => view,
      services: { contents: { get } },
    };
    return dirtyDocuments(
      shell as unknown as JupyterFrontEnd.IShell,
      documents as unknown as IDocumentManager,
    );
  }
}

class ResponseError extends Error {
  readonly response: Response;

  constructor(status: number) {
    super();
    this.response = new Response(null, { status });
  }
}

describe('the modified documents', () => {
  it('are listed once each, without other widgets', async () => {
    const [notebook, clean] = [
      new FakeDocument('a.ipynb'),
      new FakeDocument('b.py', fileVersion(), { dirty: false }),
    ];
    const found = new FakeLab([notebook, undefined, clean, notebook]).dirty();
    expect(found.map(({ path }) => path)).toEqual(['a.ipynb']);
    await found[0]?.save();
    expect([notebook.saves, clean.saves]).toEqual([1, 0]);
  });

  it('with the same path are listed separately', () => {
    const found = new FakeLab([new FakeDocument('a.ipynb'), new FakeDocument('a.ipynb')]).dirty();
    expect(found).toHaveLength(2);
    expect(found[0]?.key).not.toBe(found[1]?.key);
  });
});

describe('a modified document', () => {
  const [known, later] = [fileVersion(), fileVersion({ last_modified: isoTime(NOW + 501) })];
  const read = (hash: string, ms = NOW) => fileVersion({ hash, last_modified: isoTime(ms) });

  it.each([
    ['can be saved where the file is as it was', known, known, null],
    [
      'can be saved if the file times differ slightly',
      known,
      fileVersion({ last_modified: isoTime(NOW + 500) }),
      null,
    ],
    ['has changed on disk where the file is later', known, later, 'changed-on-disk'],
    ['has changed on disk if the hash differs', read('a'), read('b'), 'changed-on-disk'],
    ['can be saved if only the file time differs', read('a'), read('a', NOW + 60_000), null],
    ['can be saved where only one side says what is in it', read('a'), known, null],
    ['is compared by time if one hash is missing', read('a'), later, 'changed-on-disk'],
    ['is read-only if its file is', fileVersion({ writable: false }), known, 'read-only'],
    ['was never named where it has no file', null, known, 'no-file'],
  ])('%s', async (_, had, onDisk, why) => {
    const desk = new FakeLab([new FakeDocument('folder/a.txt', had)]);
    desk.disk.set('folder/a.txt', onDisk);
    expect(await desk.dirty()[0]?.findBlocker()).toBe(why);
  });

  it('is saved without its file if the folder exists', async () => {
    const desk = new FakeLab([new FakeDocument('folder/a.txt')]);
    expect(await desk.dirty()[0]?.findBlocker()).toBe('folder-missing');
    desk.disk.set('folder', fileVersion());
    expect(await desk.dirty()[0]?.findBlocker()).toBeNull();
  });

  it('is not saved if the disk cannot be read', async () => {
    const desk = new FakeLab([new FakeDocument('folder/a.txt')]);
    desk.disk.set('folder/a.txt', new ResponseError(500));
    await expect(desk.dirty()[0]?.findBlocker()).rejects.toThrow();
    desk.disk.delete('folder/a.txt');
    desk.disk.set('folder', new TypeError('Failed to fetch'));
    await expect(desk.dirty()[0]?.findBlocker()).rejects.toThrow('Failed to fetch');
  });
});
