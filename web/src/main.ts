import './page/style.css';
import './page/chat/chat.css';
import './page/live/panel.css';
import './page/bench/bench.css';
import { App } from './page/app';

declare global {
  interface Window {
    /** For tests and the console: the store, the engine and the answers of this page. */
    inshore: App;
  }
}

window.inshore = new App();
void window.inshore.start();
