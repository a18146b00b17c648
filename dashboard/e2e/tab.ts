// A tab that can be hidden. Playwright's own tabs cannot: Playwright emulates focus for each, so the page
// always counts as visible. This tab belongs to the browser, has its own window, and is driven through the
// protocol alone.

import type { Browser, CDPSession } from "@playwright/test";

interface Reply {
  id: number;
  result: { result: { value: unknown } };
}

export class Tab {
  private sent = 0;
  private readonly waiting = new Map<number, (reply: Reply) => void>();

  private constructor(
    private readonly browser: CDPSession,
    private readonly context: string,
    private readonly target: string,
    private readonly session: string,
  ) {
    browser.on("Target.receivedMessageFromTarget", ({ sessionId, message }) => {
      if (sessionId !== session) return;
      const reply = JSON.parse(message) as Reply;
      this.waiting.get(reply.id)?.(reply);
    });
  }

  static async open(browser: Browser, url: string): Promise<Tab> {
    const session = await browser.newBrowserCDPSession();
    const { browserContextId: context } = await session.send("Target.createBrowserContext");
    const { targetId: target } = await session.send("Target.createTarget", { url, browserContextId: context });
    // Not flattened: Playwright knows nothing of the session, and passes its messages on.
    const { sessionId } = await session.send("Target.attachToTarget", { targetId: target, flatten: false });
    return new Tab(session, context, target, sessionId);
  }

  /** The value of an expression in the page. */
  async evaluate(expression: string): Promise<unknown> {
    const id = (this.sent += 1);
    const reply = new Promise<Reply>((resolve) => this.waiting.set(id, resolve));
    const message = JSON.stringify({ id, method: "Runtime.evaluate", params: { expression, returnByValue: true } });
    await this.browser.send("Target.sendMessageToTarget", { sessionId: this.session, message });
    return (await reply).result.result.value;
  }

  /** Opens another tab in front of it. */
  async hide(): Promise<void> {
    await this.browser.send("Target.createTarget", { url: "about:blank", browserContextId: this.context });
  }

  async show(): Promise<void> {
    await this.browser.send("Target.activateTarget", { targetId: this.target });
  }

  async close(): Promise<void> {
    await this.browser.send("Target.disposeBrowserContext", { browserContextId: this.context });
  }
}
