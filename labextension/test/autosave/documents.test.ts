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

/** A file with changes, as a document has it. */
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

/** A page with files in views, and a disk with others. */
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

describe('the dirty documents', () => {
  it('are those with changes, each once, and nothing that is no document', async () => {
    const [notebook, clean] = [
      new FakeDocument('a.ipynb'),
      new FakeDocument('b.py', fileVersion(), { dirty: false }),
    ];
    const found = new FakeLab([notebook, undefined, clean, notebook]).dirty();
    expect(found.map(({ path }) => path)).toEqual(['a.ipynb']);
    await found[0]?.save();
    expect([notebook.saves, clean.saves]).toEqual([1, 0]);
  });

  it('of one path are two where each has changes of its own', () => {
    const found = new FakeLab([new FakeDocument('a.ipynb'), new FakeDocument('a.ipynb')]).dirty();
    expect(found).toHaveLength(2);
    expect(found[0]?.key).not.toBe(found[1]?.key);
  });
});

describe('a dirty document', () => {
  const [known, later] = [fileVersion(), fileVersion({ last_modified: isoTime(NOW + 501) })];
  const read = (hash: string, ms = NOW) => fileVersion({ hash, last_modified: isoTime(ms) });

  it.each([
    ['can be saved where the file is as it was', known, known, null],
    [
      'can be saved where the file system is a little off',
      known,
      fileVersion({ last_modified: isoTime(NOW + 500) }),
      null,
    ],
    ['has changed on disk where the file is later', known, later, 'changed-on-disk'],
    [
      'has changed on disk where something else is in the file',
      read('a'),
      read('b'),
      'changed-on-disk',
    ],
    [
      'can be saved where only the time of the file is later',
      read('a'),
      read('a', NOW + 60_000),
      null,
    ],
    ['can be saved where only one side says what is in it', read('a'), known, null],
    [
      'is told by the times where only one side says what is in it',
      read('a'),
      later,
      'changed-on-disk',
    ],
    [
      'is read-only where it cannot be written',
      fileVersion({ writable: false }),
      known,
      'read-only',
    ],
    ['was never named where it has no file', null, known, 'no-file'],
  ])('%s', async (_, had, onDisk, why) => {
    const desk = new FakeLab([new FakeDocument('folder/a.txt', had)]);
    desk.disk.set('folder/a.txt', onDisk);
    expect(await desk.dirty()[0]?.findBlocker()).toBe(why);
  });

  it('that is gone from the disk is written anew, if there is a place for it', async () => {
    const desk = new FakeLab([new FakeDocument('folder/a.txt')]);
    expect(await desk.dirty()[0]?.findBlocker()).toBe('folder-missing');
    desk.disk.set('folder', fileVersion());
    expect(await desk.dirty()[0]?.findBlocker()).toBeNull();
  });

  it('is not saved blindly where the disk cannot be looked at', async () => {
    const desk = new FakeLab([new FakeDocument('folder/a.txt')]);
    desk.disk.set('folder/a.txt', new ResponseError(500));
    await expect(desk.dirty()[0]?.findBlocker()).rejects.toThrow();
    desk.disk.delete('folder/a.txt');
    desk.disk.set('folder', new TypeError('Failed to fetch'));
    await expect(desk.dirty()[0]?.findBlocker()).rejects.toThrow('Failed to fetch');
  });
});
