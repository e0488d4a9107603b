// `inshore serve` gives the model file, and plays the cloud.
const server = process.env.INSHORE_URL ?? 'http://127.0.0.1:8040';

/** @type {import('next').NextConfig} */
export default {
  rewrites: async () => [
    { source: '/models/:path*', destination: `${server}/models/:path*` },
    { source: '/v1/:path*', destination: `${server}/v1/:path*` },
  ],
};
