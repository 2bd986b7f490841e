import { beforeEach, describe, expect, it } from 'vitest';
import {
  createDesktopNotifications,
  DesktopPermission,
  type NotificationApi,
} from '../../src/browser/desktop-notifications';

let permission: string;
let answer: string;
let asked: number;
let shown: string[];
let closed: number;

class FakeNotification {
  static get permission(): string {
    return permission;
  }

  static requestPermission(): Promise<string> {
    asked += 1;
    permission = answer;
    return Promise.resolve(permission);
  }

  constructor(title: string, { body }: { readonly body: string }) {
    shown.push(`${title}: ${body}`);
  }

  close(): void {
    closed += 1;
  }
}

const api: NotificationApi = FakeNotification;

beforeEach(() => {
  [permission, answer, asked, shown, closed] = ['default', 'granted', 0, [], 0];
  localStorage.clear();
});

describe('notifications of the browser', () => {
  it('ask for the permission when they are turned on, and not before', async () => {
    const desktop = createDesktopNotifications(api, localStorage);
    desktop.show('ModelArts', 'a');
    expect([asked, shown]).toEqual([0, []]);
    expect(await desktop.turnOn()).toBe(DesktopPermission.Granted);
    expect(asked).toBe(1);
    const takeBack = desktop.show('ModelArts', 'b');
    expect(shown).toEqual(['ModelArts: b']);
    takeBack();
    expect(closed).toBe(1);
  });

  it('stay on for other tabs until they are turned off', async () => {
    await createDesktopNotifications(api, localStorage).turnOn();
    const other = createDesktopNotifications(api, localStorage);
    expect(other.isOn).toBe(true);
    other.turnOff();
    other.show('ModelArts', 'a');
    expect(shown).toEqual([]);
  });

  it('are not on where they are refused or missing', async () => {
    answer = 'denied';
    const refused = createDesktopNotifications(api, localStorage);
    expect(await refused.turnOn()).toBe(DesktopPermission.Denied);
    expect(refused.isOn).toBe(false);
    const missing = createDesktopNotifications(undefined, localStorage);
    expect(await missing.turnOn()).toBe(DesktopPermission.Missing);
  });
});
