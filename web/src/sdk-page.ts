// An empty page with the SDK on it, for browser tests and the console.
import * as sdk from './sdk';

declare global {
  interface Window {
    inshoreSdk: typeof sdk;
  }
}

window.inshoreSdk = sdk;
