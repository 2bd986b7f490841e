/** The dirty documents of this tab, by way of Jupyter's document manager. */

import type { JupyterFrontEnd } from '@jupyterlab/application';
import { PathExt } from '@jupyterlab/coreutils';
import type { IDocumentManager } from '@jupyterlab/docmanager';
import type { Contents } from '@jupyterlab/services';
import type { DirtyDocument, SaveBlocker } from './autosave';

type DocumentContext = NonNullable<ReturnType<IDocumentManager['contextForWidget']>>;

/** A file system's idea of when it was written may be off by this much. */
const TIMESTAMP_TOLERANCE_MS = 500;

/** The documents that are dirty now, each once, however many views it has. */
export function dirtyDocuments(
  shell: JupyterFrontEnd.IShell,
  documents: IDocumentManager,
): readonly DirtyDocument[] {
  const contexts = new Set<DocumentContext>();
  for (const widget of shell.widgets('main')) {
    const context = documents.contextForWidget(widget);
    if (context?.model.dirty) {
      contexts.add(context);
    }
  }
  return [...contexts].map((context) => ({
    key: context,
    path: context.path,
    findBlocker: () => findBlocker(context, documents.services.contents),
    save: () => context.save(),
  }));
}

/** Saving would ask a person something, and so wait for ever, in these cases. */
async function findBlocker(
  context: DocumentContext,
  contents: Contents.IManager,
): Promise<SaveBlocker | null> {
  const saved = context.contentsModel;
  if (!saved) {
    return 'no-file';
  }
  if (!saved.writable) {
    return 'read-only';
  }
  try {
    const onDisk = await contents.get(context.path, { content: false, hash: true });
    return hasChangedOnDisk(saved, onDisk) ? 'changed-on-disk' : null;
  } catch (error) {
    if (isNotFound(error)) {
      return findMissingFolder(context.path, contents);
    }
    throw error;
  }
}

/** Gone from the disk: saving writes it anew and asks nothing, as long as there is a place for it. */
async function findMissingFolder(
  path: string,
  contents: Contents.IManager,
): Promise<SaveBlocker | null> {
  try {
    await contents.get(PathExt.dirname(path), { content: false });
    return null;
  } catch (error) {
    if (isNotFound(error)) {
      return 'folder-missing';
    }
    throw error;
  }
}

function isNotFound(error: unknown): boolean {
  return (error as { response?: Response }).response?.status === 404;
}

type FileVersion = Pick<Contents.IModel, 'hash' | 'last_modified'>;

function hasChangedOnDisk(saved: FileVersion, onDisk: FileVersion): boolean {
  if (saved.hash && onDisk.hash) {
    return saved.hash !== onDisk.hash;
  }
  const laterByMs = Date.parse(onDisk.last_modified) - Date.parse(saved.last_modified);
  return laterByMs > TIMESTAMP_TOLERANCE_MS;
}
