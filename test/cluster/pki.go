package main

import (
	"crypto"
	"crypto/x509"
	"net"
	"path/filepath"

	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
	certutil "k8s.io/client-go/util/cert"
	"k8s.io/kubernetes/cmd/kubeadm/app/apis/kubeadm"
	"k8s.io/kubernetes/cmd/kubeadm/app/util/pkiutil"
)

// users are the accounts that sign in by certificate. Each controller of the controller manager has a service account of
// its own besides.
var users = []certutil.Config{
	{CommonName: "admin", Organization: []string{"system:masters"}},
	{CommonName: "system:kube-controller-manager"},
	{CommonName: "system:kube-scheduler"},
	{CommonName: "kwok"},
	{CommonName: "etcd-client"},
}

// fileOf is the name of a user's certificate and key in the folder of keys.
func fileOf(user string) string {
	const prefix = "system:"
	if len(user) > len(prefix) && user[:len(prefix)] == prefix {
		return user[len(prefix):]
	}
	return user
}

// writePKI makes a certificate authority, the serving certificate, a client certificate for each of users, and the key
// that signs service account tokens. All of it is thrown away with the cluster.
func writePKI(dir string) error {
	ca, caKey, err := pkiutil.NewCertificateAuthority(certConfig(certutil.Config{CommonName: "cluster-ca"}))
	if err != nil {
		return err
	}
	if err := pkiutil.WriteCert(dir, "ca", ca); err != nil {
		return err
	}
	server := certutil.Config{
		CommonName: "kube-apiserver",
		Usages:     []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		AltNames: certutil.AltNames{
			DNSNames: []string{"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"},
			IPs:      []net.IP{net.IPv4(127, 0, 0, 1), net.IPv4(10, 0, 0, 1)},
		},
	}
	if err := writeLeaf(dir, "server", ca, caKey, server); err != nil {
		return err
	}
	for _, user := range users {
		user.Usages = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
		if err := writeLeaf(dir, fileOf(user.CommonName), ca, caKey, user); err != nil {
			return err
		}
	}
	key, err := pkiutil.GeneratePrivateKey(kubeadm.EncryptionAlgorithmECDSAP256)
	if err != nil {
		return err
	}
	if err := pkiutil.WriteKey(dir, "sa", key); err != nil {
		return err
	}
	return pkiutil.WritePublicKey(dir, "sa", key.Public())
}

func writeLeaf(dir, name string, ca *x509.Certificate, caKey crypto.Signer, c certutil.Config) error {
	cert, key, err := pkiutil.NewCertAndKey(ca, caKey, certConfig(c))
	if err != nil {
		return err
	}
	return pkiutil.WriteCertAndKey(dir, name, cert, key)
}

func certConfig(c certutil.Config) *pkiutil.CertConfig {
	return &pkiutil.CertConfig{Config: c, EncryptionAlgorithm: kubeadm.EncryptionAlgorithmECDSAP256}
}

// writeKubeconfig writes a kubeconfig with its credentials in it, so that it can be copied.
func writeKubeconfig(path, server, pki, user string) error {
	c := api.NewConfig()
	c.Clusters["cluster"] = &api.Cluster{Server: server, CertificateAuthority: filepath.Join(pki, "ca.crt")}
	c.AuthInfos[user] = &api.AuthInfo{ClientCertificate: filepath.Join(pki, user+".crt"), ClientKey: filepath.Join(pki, user+".key")}
	c.Contexts["cluster"] = &api.Context{Cluster: "cluster", AuthInfo: user}
	c.CurrentContext = "cluster"
	if err := api.FlattenConfig(c); err != nil {
		return err
	}
	return clientcmd.WriteToFile(*c, path)
}
