import type { JupyterFrontEnd } from '@jupyterlab/application';
import type { IDocumentManager } from '@jupyterlab/docmanager';
import { describe, expect, it } from 'vitest';
import { dirtyDocuments } from '../../src/autosave/documents';
import { NOW } from '../countdown/fakes';

interface Stamped {
  readonly writable: boolean;
  readonly hash?: string;
  readonly last_modified: string;
}

const at = (ms: number): string => new Date(ms).toISOString();
const stamped = (more: Partial<Stamped> = {}): Stamped => ({
  ...{ writable: true, last_modified: at(NOW) },
  ...more,
});

/** A file with changes, as a document has it. */
class File {
  saves = 0;

  constructor(
    readonly path: string,
    readonly contentsModel: Stamped | null = stamped(),
    readonly model = { dirty: true },
  ) {}

  save(): Promise<void> {
    this.saves++;
    return Promise.resolve();
  }
}

/** A page with files in views, and a disk with others. */
class Desk {
  readonly disk = new Map<string, Stamped | Error>();

  constructor(readonly views: readonly (File | undefined)[]) {}

  dirty(): ReturnType<typeof dirtyDocuments> {
    const shell = { widgets: (area: string) => (area === 'main' ? this.views : []).values() };
    const get = (path: string): Promise<Stamped> => {
      const found = this.disk.get(path) ?? new AnswerError(404);
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

class AnswerError extends Error {
  readonly response: Response;

  constructor(status: number) {
    super();
    this.response = new Response(null, { status });
  }
}

describe('the dirty documents', () => {
  it('are those with changes, each once, and nothing that is no document', async () => {
    const [notebook, clean] = [new File('a.ipynb'), new File('b.py', stamped(), { dirty: false })];
    const found = new Desk([notebook, undefined, clean, notebook]).dirty();
    expect(found.map(({ path }) => path)).toEqual(['a.ipynb']);
    await found[0]?.save();
    expect([notebook.saves, clean.saves]).toEqual([1, 0]);
  });

  it('of one path are two where each has changes of its own', () => {
    const found = new Desk([new File('a.ipynb'), new File('a.ipynb')]).dirty();
    expect(found).toHaveLength(2);
    expect(found[0]?.key).not.toBe(found[1]?.key);
  });
});

describe('a dirty document', () => {
  const [known, later] = [stamped(), stamped({ last_modified: at(NOW + 501) })];
  const read = (hash: string, ms = NOW) => stamped({ hash, last_modified: at(ms) });

  it.each([
    ['can be saved where the file is as it was', known, known, null],
    [
      'can be saved where the file system is a little off',
      known,
      stamped({ last_modified: at(NOW + 500) }),
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
    ['is read-only where it cannot be written', stamped({ writable: false }), known, 'read-only'],
    ['was never named where it has no file', null, known, 'never-named'],
  ])('%s', async (_, had, onDisk, why) => {
    const desk = new Desk([new File('folder/a.txt', had)]);
    desk.disk.set('folder/a.txt', onDisk);
    expect(await desk.dirty()[0]?.obstacle()).toBe(why);
  });

  it('that is gone from the disk is written anew, if there is a place for it', async () => {
    const desk = new Desk([new File('folder/a.txt')]);
    expect(await desk.dirty()[0]?.obstacle()).toBe('no-folder');
    desk.disk.set('folder', stamped());
    expect(await desk.dirty()[0]?.obstacle()).toBeNull();
  });

  it('is not saved blindly where the disk cannot be looked at', async () => {
    const desk = new Desk([new File('folder/a.txt')]);
    desk.disk.set('folder/a.txt', new AnswerError(500));
    await expect(desk.dirty()[0]?.obstacle()).rejects.toThrow();
    desk.disk.delete('folder/a.txt');
    desk.disk.set('folder', new TypeError('Failed to fetch'));
    await expect(desk.dirty()[0]?.obstacle()).rejects.toThrow('Failed to fetch');
  });
});
