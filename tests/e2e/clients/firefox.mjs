// Debian's Firefox without a screen, driven by its own protocol: Marionette, JSON with a length in front,
// over a TCP connection on the loopback. Neither Debian 12 nor npm has what else could drive it.

import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { until } from '../gateway.mjs';

const START_MS = 60000;
const SCRIPT_MS = 30000;
const OUTPUT_MAX = 20000;

const PREFS = {
    'marionette.port': 0, // a free one, told in the profile
    'media.navigator.streams.fake': true,
    'media.navigator.permission.disabled': true,
    'media.autoplay.default': 0,
    'media.peerconnection.ice.loopback': true,
    'media.peerconnection.ice.force_interface': 'lo',
    'media.peerconnection.ice.obfuscate_host_addresses': false,
    // nothing leaves this machine
    'app.normandy.enabled': false,
    'app.update.auto': false,
    'browser.newtabpage.enabled': false,
    'browser.safebrowsing.downloads.enabled': false,
    'browser.safebrowsing.malware.enabled': false,
    'browser.safebrowsing.phishing.enabled': false,
    'browser.shell.checkDefaultBrowser': false,
    'browser.startup.homepage': 'about:blank',
    'browser.startup.page': 0,
    'datareporting.healthreport.uploadEnabled': false,
    'datareporting.policy.dataSubmissionEnabled': false,
    'extensions.systemAddon.update.enabled': false,
    'extensions.update.enabled': false,
    'media.gmp-manager.updateEnabled': false,
    'network.captive-portal-service.enabled': false,
    'network.connectivity-service.enabled': false,
    'network.dns.disablePrefetch': true,
    'network.proxy.allow_hijacking_localhost': true,
    'network.proxy.no_proxies_on': '127.0.0.1',
    'network.proxy.socks': '127.0.0.1',
    'network.proxy.socks_port': 9, // nobody: what is not for 127.0.0.1 fails
    'network.proxy.type': 1,
    'services.settings.server': '',
    'toolkit.telemetry.enabled': false,
};

export class Firefox {
    /** prefs: more of them, or others. */
    static async launch(prefs = {}) {
        const firefox = new Firefox();
        firefox.profile = await mkdtemp(path.join(tmpdir(), 'sluice-firefox-'));
        const lines = Object.entries({ ...PREFS, ...prefs }).map(
            ([key, value]) => `user_pref(${JSON.stringify(key)}, ${JSON.stringify(value)});\n`,
        );
        await writeFile(path.join(firefox.profile, 'user.js'), lines.join(''));
        firefox.output = '';
        firefox.process = spawn(
            process.env.FIREFOX ?? 'firefox-esr',
            ['--headless', '--marionette', '--remote-allow-system-access', '--no-remote',
                '--profile', firefox.profile],
            { env: { ...process.env, HOME: firefox.profile, MOZ_CRASHREPORTER_DISABLE: '1' } },
        );
        const keep = (data) => {
            firefox.output = (firefox.output + data).slice(-OUTPUT_MAX);
        };
        firefox.process.stdout.on('data', keep);
        firefox.process.stderr.on('data', keep);
        firefox.exited = new Promise((resolve) => {
            firefox.process.once('exit', resolve);
            firefox.process.once('error', (error) => {
                keep(error.message);
                resolve();
            });
        });
        try {
            await firefox.#connect();
            await firefox.#command('WebDriver:NewSession', { capabilities: { alwaysMatch: {} } });
        } catch (error) {
            await firefox.close();
            throw new Error(`Firefox did not start\n${firefox.output}`, { cause: error });
        }
        return firefox;
    }

    async #connect() {
        const file = path.join(this.profile, 'MarionetteActivePort');
        const read = () => readFile(file, 'utf8').catch(() => '');
        const port = Number(await until('its port', read, START_MS));
        this.waiting = new Map();
        this.commands = 0;
        this.socket = net.connect(port, '127.0.0.1');
        let rest = Buffer.alloc(0);
        this.socket.on('data', (data) => {
            rest = Buffer.concat([rest, data]);
            for (;;) {
                const colon = rest.indexOf(':');
                const end = colon + 1 + Number(rest.subarray(0, Math.max(0, colon)));
                if (colon < 0 || rest.length < end) {
                    return;
                }
                this.#message(JSON.parse(rest.subarray(colon + 1, end)));
                rest = rest.subarray(end);
            }
        });
        const gone = () => {
            this.waiting.forEach(({ reject }) => reject(new Error(`Firefox is gone\n${this.output}`)));
            this.waiting.clear();
        };
        this.socket.on('error', gone);
        this.socket.on('close', gone);
    }

    /** [1, id, error, result] answers a command; the greeting is no array. */
    #message(message) {
        if (!Array.isArray(message)) {
            return;
        }
        const [, id, error, result] = message;
        const { resolve, reject } = this.waiting.get(id);
        this.waiting.delete(id);
        if (error) {
            reject(new Error(`${error.error}: ${error.message}`));
        } else {
            resolve(result);
        }
    }

    #command(name, parameters = {}) {
        return new Promise((resolve, reject) => {
            this.commands += 1;
            this.waiting.set(this.commands, { resolve, reject });
            const text = JSON.stringify([0, this.commands, name, parameters]);
            this.socket.write(`${Buffer.byteLength(text)}:${text}`);
        });
    }

    /** Opens a page that may use the camera: connections of such a page use all interfaces, of others only
     * the one of the default route, never the loopback. */
    async open(url) {
        if (url === 'about:blank') {
            return this.#command('WebDriver:Navigate', { url });
        }
        await this.#command('Marionette:SetContext', { value: 'chrome' });
        await this.evaluate((origin) => {
            const { perms, scriptSecurityManager } = Services;
            const principal = scriptSecurityManager.createContentPrincipalFromOrigin(origin);
            perms.addFromPrincipal(principal, 'camera', perms.ALLOW_ACTION);
        }, new URL(url).origin);
        await this.#command('Marionette:SetContext', { value: 'content' });
        return this.#command('WebDriver:Navigate', { url });
    }

    /** Runs work(...args) in the page, its own promises included; gives its result. */
    async evaluate(work, ...args) {
        const script = `
            const words = [...arguments];
            const done = words.pop();
            (async () => (${work})(...words))().then(
                (value) => done({ value }),
                (error) => done({ error: String(error) }),
            );`;
        const { value: answer } = await this.#command('WebDriver:ExecuteAsyncScript', {
            script,
            args,
            sandbox: null,
            scriptTimeout: SCRIPT_MS,
        });
        if (answer.error) {
            throw new Error(`in the page: ${answer.error}`);
        }
        return answer.value;
    }

    /** Clicks the button of that name. */
    click(name) {
        return this.evaluate((wanted) => {
            const all = [...document.querySelectorAll('button')];
            const found = all.find((b) => b.textContent.trim() === wanted && !b.disabled);
            if (!found) {
                throw new Error(`no button ${wanted} among ${all.map((b) => b.textContent.trim())}`);
            }
            found.click();
        }, name);
    }

    async close() {
        this.socket?.destroy();
        this.process.kill('SIGTERM');
        const late = setTimeout(() => this.process.kill('SIGKILL'), 10000);
        await this.exited;
        clearTimeout(late);
        await rm(this.profile, { recursive: true, force: true, maxRetries: 5 });
    }
}
